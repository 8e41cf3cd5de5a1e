import { readFileSync, statSync } from "node:fs";

/** The login name of a uid by /etc/passwd; null where it has none there. */
export function nameOf(uid: number): string | null {
  return entryOf("/etc/passwd", (fields) => fields[2] === String(uid))?.[0] || null;
}

/** The uid of a login name by /etc/passwd; undefined where there is none of this name. */
export function uidOfName(name: string): number | undefined {
  const uid = entryOf("/etc/passwd", ([login]) => login === name)?.[2];
  return uid === undefined ? undefined : Number(uid);
}

/** The number of a group by /etc/group; undefined where there is none of this name. */
export function gidOf(group: string): number | undefined {
  const gid = entryOf("/etc/group", ([name]) => name === group)?.[2];
  return gid === undefined ? undefined : Number(gid);
}

/** The groups that /etc names for a uid, by number: for doors through which no process can be seen. */
export function groupsOf(uid: number): number[] {
  const [name, , , gid] = entryOf("/etc/passwd", (fields) => fields[2] === String(uid)) ?? [];
  if (name === undefined) return [];
  const others = linesOf("/etc/group").filter(([, , , members]) => members?.split(",").includes(name));
  return [Number(gid), ...others.map(([, , group]) => Number(group))];
}

function entryOf(path: string, isIt: (fields: string[]) => boolean): string[] | undefined {
  return linesOf(path).find(isIt);
}

/** As last read; a role by group is asked for at every call, and these files hardly ever change. */
const read = new Map<string, { as: string; lines: string[][] }>();

function linesOf(path: string): string[][] {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    const as = `${ino} ${mtimeMs} ${size}`;
    let file = read.get(path);
    if (file?.as !== as) read.set(path, (file = { as, lines: readFileSync(path, "utf8").split("\n").map(fieldsOf) }));
    return file.lines;
  } catch {
    return [];
  }
}

function fieldsOf(line: string): string[] {
  return line.split(":");
}
