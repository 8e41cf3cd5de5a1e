import { readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connectPacketSocket, isSystemError, type PacketSocket, type SystemError } from "@lendbuf/native/addon";
import { socketCandidates } from "@lendbuf/shared/paths";
import { Connection } from "./connection.ts";
import { NoAgent } from "./errors.ts";

/** Connects to the agent at `path`, or else where this user's or the system's agent listens. Throws NoAgent. */
export async function connect({ path }: { path?: string | undefined } = {}): Promise<Connection> {
  const uid = process.getuid!();
  const candidates = path ? [path] : socketCandidates(process.env, uid);
  const failures: [path: string, error: SystemError][] = [];
  for (const candidate of candidates) {
    try {
      const socket = await open(candidate);
      // The first of several is in a place that anybody may have taken (/tmp); the system's directory belongs to root.
      if (candidate !== candidates.at(-1)) refuseStranger(candidate, socket, uid);
      return new Connection(candidate, socket);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      failures.push([candidate, error]);
    }
  }
  throw noAgent(failures);
}

/** Tries again for a moment while the agent's backlog is full. */
async function open(path: string): Promise<PacketSocket> {
  for (let attempt = 1; ; attempt++) {
    try {
      return connectPacketSocket(path);
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EAGAIN" || attempt === 20) throw error;
      await delay(10 * attempt);
    }
  }
}

function refuseStranger(path: string, socket: PacketSocket, uid: number): void {
  const { uid: owner } = socket.peer;
  if (owner === uid || owner === 0) return;
  socket.close();
  throw new NoAgent(
    "EPERM",
    `Whoever answers at ${path} is uid ${owner}, neither you nor root. Set LENDBUF_SOCKET to that path if you trust it.`,
  );
}

function noAgent(failures: readonly [path: string, error: SystemError][]): NoAgent {
  const denied = failures.find(([, error]) => error.code === "EACCES");
  const [path, cause] = denied ?? failures.at(-1)!;
  if (denied)
    return new NoAgent("EACCES", `Permission denied (EACCES) at the agent's socket ${path}. ${whoMay(path)}`, {
      cause,
    });
  const places = failures.map(([place, error]) => `${place} (${error.code})`).join(" or ");
  return new NoAgent(cause.code, `No agent answers at ${places}. Start one with: npm start, or set LENDBUF_SOCKET.`, {
    cause,
  });
}

function whoMay(path: string): string {
  try {
    const { gid } = statSync(path);
    const group = groupName(gid) ?? `with id ${gid}`;
    return `It is open to members of the group ${group}: have yourself added to it (usermod -aG), and log in anew.`;
  } catch {
    return "Not even its directory may be searched: ask whoever runs the agent, or set LENDBUF_SOCKET.";
  }
}

function groupName(gid: number): string | undefined {
  const lines = readFileSync("/etc/group", "utf8").split("\n");
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === String(gid))?.[0];
}
