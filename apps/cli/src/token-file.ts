import { readFileSync, statSync } from "node:fs";
import { usageFailure } from "./failure.ts";
import { notify } from "./output/print.ts";

/** The token of `lendbuf token create`: the file's first line. */
export function readToken(path: string): string {
  const [first = ""] = read(path).split("\n");
  const token = first.trim();
  if (!/^[\x21-\x7e]+$/.test(token))
    throw usageFailure(
      `${path} has no token in its first line. Make one on the agent's host: lendbuf token create NAME`,
    );
  if (statSync(path).mode & 0o077) notify(`lendbuf: Others may read the token in ${path}: chmod 600 ${path}\n`);
  return token;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw usageFailure(`The token's file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
