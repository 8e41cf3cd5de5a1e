import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";

/**
 * Who sent a request, as far as failures are concerned: the user of this host whose program has the other end of the connection, also
 * where that is a tunnel of ssh's, which runs as the one who logged in. All come from 127.0.0.1, so an address would tell nobody apart.
 * Undefined where nobody has it any more, so that nobody would hear the answer.
 */
export async function sourceOf({ socket }: IncomingMessage): Promise<string | undefined> {
  const { remoteAddress, remotePort, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined || localPort === undefined) return undefined;
  const theirs = `${hexOf(remoteAddress)}:${hex(remotePort, 4)}`;
  for (const table of ["tcp", "tcp6"]) {
    const uid = uidIn(await readFile(`/proc/net/${table}`, "latin1").catch(() => ""), theirs, hex(localPort, 4));
    if (uid !== undefined) return `uid:${uid}`;
  }
  return undefined;
}

/** In lines of /proc/net/tcp: number, local address, remote address, state, queues, timer, retransmissions, uid, timeout, inode. */
function uidIn(table: string, theirs: string, ourPort: string): string | undefined {
  for (const line of table.split("\n")) {
    if (!line.includes(theirs)) continue;
    const [, local = "", remote = "", , , , , uid, , inode] = line.trim().split(/\s+/);
    // What was closed has no inode, and says root of whomever it was.
    if (local.endsWith(theirs) && remote.endsWith(`:${ourPort}`) && inode !== "0") return uid;
  }
  return undefined;
}

/** As the kernel prints an IPv4 address: a 32-bit number of a little-endian machine. */
function hexOf(address: string): string {
  const bytes = address.split(".").map(Number);
  return bytes
    .reverse()
    .map((byte) => hex(byte, 2))
    .join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
