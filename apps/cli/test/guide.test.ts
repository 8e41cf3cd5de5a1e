// docs/guide.md, played as a reader would: each task with an agent of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type GuideStep, patternOf, tasksOf } from "./guide-document.ts";
import { Running, TestAgent } from "./lendbuf.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAMS = { lendbuf: "apps/cli/bin/lendbuf.js", "lendbuf-agent": "apps/agent/bin/lendbuf-agent.js" };
const TASKS = tasksOf();

describe("docs/guide.md", () => {
  it("has the tasks that it lists, and each of them is played", () => {
    expect(TASKS.map(({ title }) => title)).toEqual([
      "Borrow a buffer from a test script",
      "Give CI an hour on a card",
      "Cut somebody off",
      "Run it as a service",
    ]);
    for (const { steps } of TASKS) expect(steps.filter(({ kind }) => kind === "run").length).toBeGreaterThan(2);
  });

  it.each(TASKS)("$title", { timeout: 60_000 }, async ({ steps }) => {
    await using reader = await Reader.start();

    for (const step of steps) await reader.play(step);
  });
});

/** Somebody with two terminals, in a folder of their own from which the checkout's clients can be reached. */
class Reader implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "lendbuf-guide-"));
  readonly #agent: TestAgent;
  /** By the last command; undefined where that is the one in the background. */
  #printed: string | undefined;
  #background: Running | undefined;

  private constructor(agent: TestAgent) {
    this.#agent = agent;
    mkdirSync(join(this.#folder, "bin"));
    for (const [name, file] of Object.entries(PROGRAMS)) symlinkSync(join(ROOT, file), join(this.#folder, "bin", name));
    symlinkSync(join(ROOT, "clients"), join(this.#folder, "clients"));
  }

  static async start(): Promise<Reader> {
    return new Reader(await TestAgent.start());
  }

  async play(step: GuideStep): Promise<void> {
    const where = `docs/guide.md:${step.line}`;
    if (step.needs && !existsSync(join(ROOT, step.needs)))
      return console.log(`${where}: not played, ${step.needs} is missing`);
    switch (step.kind) {
      case "elsewhere":
        return;
      case "file":
        return writeFileSync(join(this.#folder, step.name!), step.text);
      case "run":
        return this.#run(step.text, where);
      case "background":
        return this.#start(step.text);
      case "shown":
        if (this.#printed !== undefined) return expect(this.#printed, where).toMatch(patternOf(step.text));
    }
    await within(
      this.#background!.sees(patternOf(step.text)),
      `${where}: the command in the background does not print this`,
    );
  }

  async #run(commands: string, where: string): Promise<void> {
    const { code, stdout, stderr } = await this.#shell(commands).ended;
    expect(code, `${where}: ${stderr}`).toBe(0);
    this.#printed = stdout;
  }

  async #start(commands: string): Promise<void> {
    await this.#endBackground();
    this.#background = this.#shell(commands);
    this.#printed = undefined;
  }

  #shell(commands: string): Running {
    const { COLUMNS, ...rest } = process.env;
    const env = {
      ...rest,
      PATH: `${join(this.#folder, "bin")}:${process.env.PATH}`,
      LENDBUF_SOCKET: this.#agent.socket,
    };
    return new Running(
      spawn("sh", ["-ec", commands], { cwd: this.#folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] }),
    );
  }

  async #endBackground(): Promise<void> {
    const child = this.#background?.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    process.kill(-child.pid!, "SIGTERM");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endBackground();
    await this.#agent[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Else a test that is out of time would leave its agent behind. */
async function within(promise: Promise<unknown>, problem: string): Promise<void> {
  const controller = new AbortController();
  const late = setTimeout(30_000, undefined, { signal: controller.signal }).then(() => {
    throw new Error(problem);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    controller.abort();
    late.catch(() => {});
  }
}
