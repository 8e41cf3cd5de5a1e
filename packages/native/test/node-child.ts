import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { addonPath } from "../src/build.ts";

/** A second process that runs a script which finds the addon as `addon`, and says lines. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  errors = "";

  constructor(command: string, args: string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    this.process.stderr?.on("data", (data) => {
      this.errors += data;
    });
    const lines = createInterface({ input: this.process.stdout! });
    lines.on("line", (line) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#lines.push(line);
    });
    lines.on("close", () => {
      for (const waiting of this.#waiting.splice(0)) waiting(undefined);
    });
    this.ended = new Promise((resolve) => this.process.on("close", (code, signal) => resolve({ code, signal })));
  }

  /** The next line that it says; undefined once it has nothing more to say. */
  line(): Promise<string | undefined> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.process.stdout!.destroyed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Closes its standard input. */
  async finish() {
    this.process.stdin!.end();
    return this.ended;
  }
}

const prelude = `
  const addon = require(process.env.LENDBUF_ADDON);
  const fs = require("node:fs");
  const say = (...words) => fs.writeSync(1, words.join(" ") + "\\n");
`;

interface NodeOptions {
  /** The most descriptors that it may have open. */
  nofile?: number;
  flags?: string[];
  env?: Record<string, string>;
  /** Does not load the addon. */
  bare?: boolean;
}

export function nodeChild(script: string, { nofile, flags = [], env = {}, bare = false }: NodeOptions = {}): Child {
  const limit = nofile ? `ulimit -n ${nofile}; ` : "";
  const args = [process.execPath, ...flags, "-e", bare ? script : prelude + script];
  return new Child("/bin/sh", ["-c", `${limit}exec "$@"`, "sh", ...args], {
    env: { ...process.env, LENDBUF_ADDON: addonPath(), ...env },
  });
}
