import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync } from "node:fs";
import { type PacketSocket, packetSocketPair, type SystemError } from "@lendbuf/native/addon";
import { wardenPath } from "@lendbuf/native/build";
import { hear, lastWordPath, makeFolder } from "./last-word.ts";
import { startTimeOf } from "./start-time.ts";
import { doorPath, type KnownWarden } from "./succession.ts";

export interface WardenOptions {
  device: string;
  /** What this kind of device needs on the warden's command line. */
  args: readonly string[];
  stateDirectory: string;
  /** How long it is to wait for another agent once this one is gone; 0: not at all. */
  adoptMs: number;
}

/** A warden's process, and our end of the socket to it. */
export interface WardenProcess {
  readonly instance: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Not started yet. */
  readonly socket: PacketSocket;
  /** Resolves with why, when it has exited or could not be started. */
  readonly exited: Promise<string>;
  /** To be called when the socket has ended, by whomever. */
  onSocketEnd(error?: SystemError): void;
}

const LOOK_AGAIN_MS = 10;

export function startWarden({ device, args, stateDirectory, adoptMs }: WardenOptions): WardenProcess {
  const instance = randomUUID();
  const { socket, fd } = packetSocketPair();
  makeFolder(stateDirectory);
  const own = ["--instance", instance, "--last-word", lastWordPath(stateDirectory, instance)];
  const door = adoptMs > 0 ? ["--door", doorPath(stateDirectory, instance)] : [];
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn(wardenPath(), ["--device", device, ...args, ...own, ...door], {
      detached: true, // a session of its own: no terminal's Ctrl-C reaches it before it reaches us
      stdio: ["ignore", "ignore", "pipe", fd],
    });
  } finally {
    closeSync(fd);
  }
  let words = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-2000);
  });
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`it cannot be started: ${error.message}`));
    child.once("close", (code, signal) =>
      resolve(`it ended with ${signal ?? `status ${code}`}${words ? `: ${words.trim()}` : ""}`),
    );
  });
  return {
    instance,
    pid: child.pid ?? 0,
    startedAt: Date.now(),
    socket,
    exited,
    // The exit that follows says more; a socket that fails while the process lives is an end as well.
    onSocketEnd: (error) => void (error && child.kill("SIGKILL")),
  };
}

/** One that an earlier agent started: no child of ours, so that its lock on its last word tells of its exit. */
export function knownWarden(stateDirectory: string, known: KnownWarden, socket: PacketSocket): WardenProcess {
  const { instance, pid, startedAt, startTime } = known;
  let onExit: (why: string) => void = () => {};
  const exited = new Promise<string>((resolve) => {
    onExit = resolve;
  });
  let isWatched = false;
  const watch = () => {
    const testimony = hear(stateDirectory, instance);
    if (testimony.kind === "working") setTimeout(watch, LOOK_AGAIN_MS);
    else onExit(testimony.kind === "spoken" ? "it ended" : "it was killed");
  };
  return {
    instance,
    pid,
    startedAt,
    socket,
    exited,
    onSocketEnd(error) {
      if (error && startTimeOf(pid) === startTime) process.kill(pid, "SIGKILL");
      if (!isWatched) watch();
      isWatched = true;
    },
  };
}
