import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectPacketSocket, isSystemError, type PacketSocket } from "@lendbuf/native/addon";
import { encodeAdopt, SECRET_SIZE } from "@lendbuf/native/warden/adoption-protocol";
import { z } from "zod";
import { folder, hear } from "./last-word.ts";
import { startTimeOf } from "./start-time.ts";

const Known = z.object({
  version: z.literal(1),
  instance: z.uuid(),
  device: z.string(),
  /** What its command line said of the device. */
  args: z.array(z.string()),
  bootId: z.string(),
  pid: z.int().positive(),
  /** See start-time.ts. */
  startTime: z.int(),
  startedAt: z.int(),
  secret: z.string().regex(new RegExp(`^[0-9a-f]{${2 * SECRET_SIZE}}$`)),
});

/** What the next agent needs in order to adopt a warden. */
export type KnownWarden = z.infer<typeof Known>;

const SUFFIX = ".adopt";
/** A warden opens its door once the kernel has told it that its agent is gone. */
const PATIENCE_MS = 5000;
const LOOK_AGAIN_MS = 10;

/** Where a warden listens while it waits for another agent. */
export function doorPath(stateDirectory: string, instance: string): string {
  return join(folder(stateDirectory), `${instance}.door`);
}

function knownPath(stateDirectory: string, instance: string): string {
  return join(folder(stateDirectory), `${instance}${SUFFIX}`);
}

/** Leaves word of a warden for the next agent; gives the secret that opens its door. */
export function leaveWord(
  stateDirectory: string,
  warden: { instance: string; pid: number; startedAt: number },
  device: { name: string; args: readonly string[] },
  bootId: string,
): Uint8Array {
  const startTime = startTimeOf(warden.pid);
  const secret = randomBytes(SECRET_SIZE);
  const { instance, pid, startedAt } = warden;
  const known = {
    ...{ version: 1, instance, device: device.name, args: device.args, bootId },
    ...{ pid, startTime, startedAt, secret: secret.toString("hex") },
  };
  writeFileSync(knownPath(stateDirectory, instance), JSON.stringify(Known.parse(known)), { mode: 0o600, flag: "wx" });
  return secret;
}

/** The wardens that earlier agents left word of, as far as this boot's. */
export function knownWardens(stateDirectory: string, bootId: string): KnownWarden[] {
  let names: string[];
  try {
    names = readdirSync(folder(stateDirectory)).filter((name) => name.endsWith(SUFFIX));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const known = Known.parse(JSON.parse(readFileSync(join(folder(stateDirectory), name), "utf8")));
      return known.bootId === bootId && `${known.instance}${SUFFIX}` === name ? [known] : [];
    } catch {
      return []; // cut short by a full disk or a crash: then nobody waits for us
    }
  });
}

/** Connects to a warden that waits; undefined where it has ended, or is not the one that we know. */
export async function reach(stateDirectory: string, known: KnownWarden): Promise<PacketSocket | undefined> {
  const until = performance.now() + PATIENCE_MS;
  while (hear(stateDirectory, known.instance).kind === "working" && performance.now() < until) {
    const socket = knock(stateDirectory, known.instance);
    if (socket) return isTheOne(socket, known) ? socket : void socket.close();
    await delay(LOOK_AGAIN_MS);
  }
  return undefined;
}

/** Has a warden revoke everything and go. What becomes of it is its last word. */
export async function dismiss(stateDirectory: string, known: KnownWarden): Promise<void> {
  const socket = await reach(stateDirectory, known);
  if (!socket) return;
  await new Promise<void>((resolve) => {
    socket.start({ encoding: "bytes", acceptFds: false, onPacket() {}, onClose: () => resolve() });
    socket.send(encodeAdopt(Buffer.from(known.secret, "hex"), true));
  });
}

/** By way of its folder's descriptor: a socket's path has 107 bytes at most. */
function knock(stateDirectory: string, instance: string): PacketSocket | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(folder(stateDirectory), constants.O_RDONLY | constants.O_DIRECTORY);
    return connectPacketSocket(`/proc/self/fd/${fd}/${instance}.door`);
  } catch (cause) {
    if (isSystemError(cause)) return undefined;
    throw cause;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The kernel names who listens: nobody else can have put a socket of his own in the door's place. */
function isTheOne({ peer }: PacketSocket, { pid, startTime }: KnownWarden): boolean {
  return peer.uid === process.getuid!() && peer.pid === pid && startTimeOf(pid) === startTime;
}

/** Nobody needs the word of it any more. */
export function forgetWord(stateDirectory: string, instance: string): void {
  for (const path of [knownPath(stateDirectory, instance), doorPath(stateDirectory, instance)]) {
    try {
      unlinkSync(path);
    } catch {
      // There is none, or it is left for the next start.
    }
  }
}
