import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isIPv4 } from "node:net";

/**
 * Who sent a request, as far as failures are concerned. On this host: the user whose program has the other end of the connection, also
 * where that is a tunnel of ssh's, which runs as the one who logged in; all come from 127.0.0.1, so an address would tell nobody apart.
 * From elsewhere: the address, of IPv6 the network. Undefined where nobody has it any more, so that nobody would hear the answer.
 */
export async function sourceOf({ socket }: IncomingMessage): Promise<string | undefined> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined || localPort === undefined) return undefined;
  const bytes = bytesOf(remoteAddress);
  const theirs = `${hexOf(bytes)}:${hex(remotePort, 4)}`;
  for (const table of ["tcp", "tcp6"]) {
    const uid = uidIn(await readFile(`/proc/net/${table}`, "latin1").catch(() => ""), theirs, hex(localPort, 4));
    if (uid !== undefined) return `uid:${uid}`;
  }
  const isOfThisHost = remoteAddress === localAddress || (bytes.length === 4 && bytes[0] === 127);
  return isOfThisHost ? undefined : (bytes.length === 4 ? bytes : bytes.slice(0, 8)).join(".");
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

function bytesOf(address: string): number[] {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (isIPv4(plain)) return plain.split(".").map(Number);
  const [first = [], last = []] = plain.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  const groups = [...first, ...zeros, ...last].map((digits) => Number.parseInt(digits, 16));
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

/** As the kernel prints addresses: in 32-bit numbers of a little-endian machine. */
function hexOf(bytes: readonly number[]): string {
  const words = bytes.map((_byte, i) => bytes[(i & ~3) + 3 - (i & 3)]!);
  return words.map((byte) => hex(byte, 2)).join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
