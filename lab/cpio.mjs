// The format that a kernel unpacks into its first file system ("newc", Documentation/driver-api/early-userspace/buffer-format.rst).
const FOLDER = 0o040000;
const FILE = 0o100000;
const LINK = 0o120000;
const ALIGNMENT = 4;

/**
 * An archive of `entries`: path without a leading slash → `{ content, executable }` for a file, `{ link }` for a symbolic link. Folders come by
 * themselves. All of it belongs to root.
 */
export function cpio(entries) {
  const parts = [];
  const folders = new Set();
  const add = (path, mode, content) => parts.push(...record(parts.length + 1, path, mode, Buffer.from(content)));
  const addFolder = (path) => {
    if (path === "" || folders.has(path)) return;
    folders.add(path);
    addFolder(parentOf(path));
    add(path, FOLDER | 0o755, "");
  };
  for (const [path, { content, executable, link }] of Object.entries(entries)) {
    addFolder(parentOf(path));
    if (link) add(path, LINK | 0o777, link);
    else add(path, FILE | (executable ? 0o755 : 0o644), content);
  }
  add("TRAILER!!!", 0, "");
  return Buffer.concat(parts);
}

function parentOf(path) {
  return path.split("/").slice(0, -1).join("/");
}

function record(inode, path, mode, content) {
  const name = Buffer.from(`${path}\0`);
  const [links, noId, noTime, noDevice] = [1, 0, 0, 0];
  const fields = [inode, mode, noId, noId, links, noTime, content.length, ...Array(4).fill(noDevice), name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [Buffer.from(header), name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length) {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
