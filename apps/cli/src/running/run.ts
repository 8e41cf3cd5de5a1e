import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import type { Width } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { EndSignal } from "./end-signal.ts";
import { type Follower, follow } from "./follow.ts";
import { giveBack } from "./give-back.ts";
import type { SignalRelay } from "./signal-relay.ts";

/** The descriptor's number in the command. */
const FD = 3;

/** What of a window is copied before and after the command. */
export interface Copies {
  pull: boolean;
  push: boolean;
  width: Width;
}

export interface RunSettings {
  copies?: Copies;
  /** Without one the command hears of no end. */
  beforeEnd?: { signal: NodeJS.Signals; ms: number } | undefined;
}

/** Runs a command that has the lent memory as descriptor 3, and ends the delegation when it exits. Returns the exit code. */
export async function run(
  agent: Connection,
  lease: Lease,
  words: readonly string[],
  relay: SignalRelay,
  follower: Follower,
  { copies = { pull: false, push: false, width: 32 }, beforeEnd }: RunSettings = {},
): Promise<number> {
  const stop = new AbortController();
  const { id } = lease.delegation;
  const copy = (direction: "from-device" | "to-device") =>
    agent.call("delegations.sync", { id, direction, width: copies.width });
  try {
    if (copies.pull) await copy("from-device");
    const child = start(words, lease, agent.path);
    relay.passTo(child);
    const exit = exitOf(child, words[0]!);
    // Ours is closed: from now on only the command holds the memory.
    lease.close();
    using warning = beforeEnd && new EndSignal(child, beforeEnd);
    const onState = (delegation: Delegation) => {
      warning?.see(delegation);
      follower.onState?.(delegation);
    };
    void follow(agent, lease.delegation, { ...follower, onState }, stop.signal).catch(() => {
      if (stop.signal.aborted) return;
      const notice = `The agent went away, and ${lease.delegation.buffer} with it. The command goes on without it.`;
      if (follower.onLost) follower.onLost(notice);
      else follower.onNotice(notice);
    });
    const code = await exit;
    if (copies.push && code === 0) await copy("to-device");
    return code;
  } finally {
    stop.abort();
    lease.close();
    await giveBack(agent, lease.delegation, follower);
  }
}

function start([command, ...args]: readonly string[], lease: Lease, socket: string): ChildProcess {
  const { id, buffer, access } = lease.delegation;
  const env = {
    ...process.env,
    LENDBUF_FD: String(FD),
    LENDBUF_SIZE: String(lease.size),
    LENDBUF_BUFFER: buffer,
    LENDBUF_DELEGATION: String(id),
    LENDBUF_ACCESS: access,
    LENDBUF_SOCKET: socket,
  };
  try {
    return spawn(command!, args, { stdio: ["inherit", "inherit", "inherit", lease.fd], env });
  } catch (error) {
    throw cannotRun(command!, error as NodeJS.ErrnoException);
  }
}

async function exitOf(child: ChildProcess, command: string): Promise<number> {
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return signal ? EXIT.signal + constants.signals[signal] : code!;
  } catch (error) {
    throw cannotRun(command, error as NodeJS.ErrnoException);
  }
}

function cannotRun(command: string, { code = "unknown", message }: NodeJS.ErrnoException): Failure {
  if (code === "ENOENT") return new Failure(code, EXIT.commandNotFound, `${command}: command not found`);
  return new Failure(
    code,
    EXIT.notExecutable,
    `${command}: cannot be executed (${code === "unknown" ? message : code})`,
  );
}
