import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "@lendbuf/client/connect";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SCRIPTS } from "../src/completion/scripts.ts";
import { Running, run, TestAgent } from "./lendbuf.ts";

let agent: TestAgent;
/** Has `lendbuf` in it, and the scripts. */
let folder: string;

beforeAll(async () => {
  agent = await TestAgent.start();
  folder = mkdtempSync(join(tmpdir(), "lendbuf-completion-"));
  const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
  writeFileSync(join(folder, "lendbuf"), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  for (const [shell, script] of Object.entries(SCRIPTS)) writeFileSync(join(folder, shell), script);
});
afterEach(() => agent.clear());
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await agent[Symbol.asyncDispose]();
});

async function complete(...words: string[]): Promise<string[]> {
  const { stdout, stderr, code } = await agent.run("complete", "--", ...words);
  expect([stderr, code]).toEqual(["", 0]);
  return stdout.split("\n").map((line) => line.split("\t")[0]!);
}

// Whoever pressed TAB is not kept waiting: where an agent takes more than 0.8 s there is nothing, and a slow machine tries again.
describe("completes", { retry: 3 }, () => {
  it.each([
    ["commands", ["del"], ["delegations", "delegate", ""]],
    ["a command's commands", ["token", ""], ["create", "list", "remove", "help", ""]],
    ["commands for help", ["help", "rel"], ["release", ""]],
    ["a command's options", ["buffers", "--s"], ["--search", "--socket", ""]],
    ["options after arguments", ["exec", "sim0/ch0", "--pu"], ["--purpose", "--pull", "--push", ""]],
    ["an option's choices", ["exec", "sim0/ch0", "--exporter", "me"], ["memfd", ""]],
    ["an argument's choices", ["completion", ""], ["bash", "zsh", "fish", ""]],
    ["buffers", ["exec", "sim0/ch"], ["sim0/ch0", "sim0/ch1", "sim0/ch2", "sim0/ch3", ""]],
    ["buffers of an option", ["delegations", "--buffer", "sim0/re"], ["sim0/regs", ""]],
    ["devices", ["revoke", "--all", "--device", ""], ["sim0", ""]],
    [
      "methods",
      ["call", "audit."],
      ["audit.list", "audit.watch", "audit.who", "audit.export", "audit.head", "audit.verify", ""],
    ],
    ["nothing of another program's words", ["exec", "sim0/ch0", "--", "l"], [""]],
    ["nothing after the last argument", ["release", "1", ""], [""]],
    ["nothing that is not there", ["xyz"], [""]],
  ])("%s", async (_name, words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  it("delegations, each with what it is; also the second of several", async () => {
    using connection = await connect({ path: agent.socket });
    const { id } = await connection.call("delegations.request", { buffer: "sim0/ch0" });

    const { stdout } = await agent.run("complete", "--", "revoke", "17", "");

    expect(stdout).toMatch(new RegExp(`^${id}\tsim0/ch0, uid:\\d+, offered$`, "m"));
  });

  it("by the agent that the words name", async () => {
    const elsewhere = { env: { LENDBUF_SOCKET: "/nonexistent.sock" } };

    expect((await run(["complete", "--", "--socket", agent.socket, "undefine", "sim0/re"], elsewhere)).stdout).toMatch(
      /^sim0\/regs\t/,
    );
    expect(await run(["complete", "--", "undefine", "sim0/re"], elsewhere)).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });
});

const SHELLS = [
  { shell: "bash", args: ["--norc", "--noprofile", "-i"], setUp: "" },
  { shell: "zsh", args: ["-f", "-i"], setUp: "autoload -U compinit && compinit -u -D;" },
  { shell: "fish", args: ["--no-config", "-i"], setUp: "" },
].map((it) => ({ ...it, isHere: spawnSync(it.shell, ["--version"]).status === 0 }));

describe.each(SHELLS)("in $shell", ({ shell, args, setUp, isHere }) => {
  it.skipIf(!isHere)(
    `TAB completes a command and a buffer's name with a colon (needs ${shell}: apt install ${shell})`,
    async () => {
      using connection = await connect({ path: agent.socket });
      await connection.call("buffers.define", {
        name: `lab:${shell}/second`,
        device: "sim0",
        region: 2,
        ranges: [{ offset: 5 * 2 ** 20, length: 4096 }],
      });
      const env = {
        ...process.env,
        PATH: `${folder}:${process.env.PATH}`,
        LENDBUF_SOCKET: agent.socket,
        TERM: "xterm",
        HOME: folder,
      };
      const words = [shell, ...args].join(" ");
      const terminal = new Running(spawn("script", ["-qfc", `exec ${words}`, "/dev/null"], { env, cwd: folder }));

      terminal.type(`${setUp} . ./${shell}; echo taught-$LENDBUF_SOCKET`);
      await terminal.sees(new RegExp(`taught-${agent.socket}`));
      // What is typed while a shell completes waits in the terminal.
      terminal.child.stdin!.write(`lendbuf undef\tlab:${shell}\t\r`);
      await terminal.sees(new RegExp(`Removed lab:${shell}/second\\.`));
      terminal.type("exit");
      await terminal.ended;
    },
  );
});
