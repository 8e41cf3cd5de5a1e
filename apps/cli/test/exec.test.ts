import { readdirSync, readlinkSync } from "node:fs";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { holderCommand } from "./holder-command.ts";
import { type Running, TestAgent } from "./lendbuf.ts";

let agent: TestAgent;
let holder: Awaited<ReturnType<typeof holderCommand>>;

beforeAll(async () => {
  holder = await holderCommand();
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(async () => {
  holder.remove();
  await agent[Symbol.asyncDispose]();
});

const exec = (buffer: string, ...options: string[]) => agent.start("exec", buffer, ...options, "--", ...holder.words);

async function liveOf(buffer: string): Promise<Delegation> {
  const { items } = await agent.json<{ items: Delegation[] }>("delegations", "--buffer", buffer);
  return items[0]!;
}

async function exitWith(running: Running, code: number) {
  running.type(`exit ${code}`);
  return running.ended;
}

describe("a command that was lent memory", () => {
  it("reads and writes it, and what it wrote is there for the next", async () => {
    const first = exec("sim0/ddr");
    first.type("write 4096 hello");
    await first.sees(/write: done/);
    expect((await exitWith(first, 0)).code).toBe(0);

    const second = exec("sim0/ddr", "--read-only");
    second.type("read 4096 5");
    await second.sees(/read: hello/);
    expect((await exitWith(second, 0)).stderr).toBe("");
  });

  it("has it as descriptor 3, described in its environment", async () => {
    const { stdout } = await agent.run(
      "exec",
      "sim0/ch1",
      "--read-only",
      "--",
      "sh",
      "-c",
      "env; readlink /proc/$$/fd/3",
    );

    expect(stdout).toContain("LENDBUF_FD=3\n");
    expect(stdout).toContain("LENDBUF_SIZE=1048576\n");
    expect(stdout).toContain("LENDBUF_BUFFER=sim0/ch1\n");
    expect(stdout).toMatch(/LENDBUF_DELEGATION=\d+\n/);
    expect(stdout).toContain("LENDBUF_ACCESS=read-only\n");
    expect(stdout).toContain(`LENDBUF_SOCKET=${agent.socket}\n`);
    expect(stdout).toContain("memfd:");
  });

  it("holds it alone: lendbuf itself has closed its copy", async () => {
    const running = exec("sim0/ddr");
    await running.sees(/ready/);
    await agent.run("status"); // a moment in which it may close

    const links = readdirSync(`/proc/${running.child.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${running.child.pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });

    expect(links.filter((link) => link.includes("memfd"))).toEqual([]);
    await exitWith(running, 0);
  });

  it("loses it when an operator revokes, is told with the proof, and lives on", async () => {
    const running = exec("sim0/ddr");
    running.type("write 0 secret");
    await running.sees(/write: done/);
    const { id } = await liveOf("sim0/ddr");

    const revoked = await agent.run("revoke", String(id));
    running.type("read 0 6");

    await running.sees(/read: EFAULT/);
    await running.sees(/lendbuf: sim0\/ddr was taken back \(operator; ftruncate, size 0, [\d.]+ ms\)/);
    expect(revoked.code).toBe(0);
    expect((await exitWith(running, 5)).code).toBe(5);
  });

  it("loses it at the end of the lease, which was announced", async () => {
    const running = exec("sim0/ddr", "--for", "2s");

    await running.sees(/The lease of sim0\/ddr ends .* lendbuf extend \d+ 1h/);
    await running.sees(/was taken back \(expired;/);
    running.type("read 0 6");

    await running.sees(/read: EFAULT/);
    await exitWith(running, 0);
  });

  it("hears of an end that is announced, and of more time", async () => {
    const running = exec("sim0/ddr", "--for", "10m");
    await running.sees(/ready/);
    const { id } = await liveOf("sim0/ddr");

    await agent.run("extend", String(id), "1h");
    await running.sees(/The lease of sim0\/ddr now ends in 1h/);
    await agent.run("revoke", String(id), "--notice", "5m");

    await running.sees(/sim0\/ddr will be taken back in (5m|4m 59s) \(operator\)/);
    await exitWith(running, 0);
  });

  it("goes on without it when the agent dies", async () => {
    await using mortal = await TestAgent.start();
    const running = mortal.start("exec", "sim0/ddr", "--", ...holder.words);
    await running.sees(/ready/);

    await mortal.kill();
    await running.sees(/The agent went away, and sim0\/ddr with it/);
    running.type("lose");

    await running.sees(/lose: EFAULT/);
    expect((await exitWith(running, 4)).code).toBe(4);
  });
});

describe("with --json", () => {
  it("a command's standard error has each state, and at last that the agent went away", async () => {
    await using mortal = await TestAgent.start();
    const running = mortal.start("exec", "sim0/ddr", "--json", "--", ...holder.words);
    await running.sees(/"state":"active"/);

    await mortal.kill();
    const [line] = await running.sees(/^\{"error":.*$/m);

    expect(JSON.parse(line)).toEqual({
      error: { code: "CONNECTION_LOST", message: expect.stringContaining("The agent went away, and sim0/ddr with it") },
    });
    await exitWith(running, 0);
  });
});

describe("the exit code", () => {
  it.each([
    ["as the command's", ["sh", "-c", "exit 42"], 42],
    ["128 and the signal that it died of", ["sh", "-c", "kill -KILL $$"], 137],
    ["127 for a command that is not there", ["lendbuf-no-such-command"], 127],
    ["126 for a file that cannot be executed", ["/etc/passwd"], 126],
  ])("is %s", async (_name, words, expected) => {
    const { code } = await agent.run("exec", "sim0/ch0", "--", ...words);

    expect(code).toBe(expected);
    expect(await liveOf("sim0/ch0")).toBeUndefined();
  });

  it("is 5 where the buffer is taken, and the command does not run", async () => {
    const first = exec("sim0/ddr");
    await first.sees(/ready/);

    const second = await agent.run("exec", "sim0/ddr", "--", "echo", "ran");

    expect(second).toMatchObject({ code: 5, stdout: "" });
    expect(second.stderr).toContain("Wait in line");
    await exitWith(first, 0);
  });
});

describe("signals", () => {
  it.each(["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT"] as const)(
    "%s to lendbuf reaches the command, once",
    async (signal) => {
      const running = exec("sim0/ddr");
      await running.sees(/ready/);

      running.child.kill(signal);
      await running.sees(new RegExp(`got ${signal}`));
      const { stdout, stderr, code } = await exitWith(running, 0);

      expect(stdout.match(/got/g)).toHaveLength(1);
      expect(stderr).not.toContain("Debugger");
      expect(code).toBe(0);
    },
  );

  it("Ctrl-C on the terminal reaches the command once", async () => {
    const running = agent.startOnTerminal("exec", "sim0/ddr", "--", ...holder.words);
    const [, lendbuf] = await running.sees(/holder \d+ of (\d+) ready/);

    running.child.stdin!.write("\x03");
    await running.sees(/got SIGINT/);
    process.kill(Number(lendbuf), "SIGUSR2"); // passed on after whatever lendbuf makes of Ctrl-C
    await running.sees(/got SIGUSR2/);
    running.type("exit 9");
    const { stdout, code } = await running.ended;

    expect(stdout.match(/got SIGINT/g)).toHaveLength(1);
    expect(code).toBe(9);
  });

  it("SIGKILL to lendbuf ends the delegation: the command loses the memory", async () => {
    const running = exec("sim0/ddr");
    const [, pid] = await running.sees(/holder (\d+) of \d+ ready/);
    const follower = agent.start("watch");
    await follower.sees(/sim0\/ddr .* active/);

    running.child.kill("SIGKILL");

    await follower.sees(/sim0\/ddr .* revoked {2}disconnected, ftruncate, size 0/);
    follower.child.kill("SIGTERM");
    process.kill(Number(pid), "SIGKILL");
    await running.ended;
  });
});

describe("--signal", () => {
  it("comes before the lease ends, once, and the memory is still there", async () => {
    const running = exec("sim0/ddr", "--for", "4", "--signal", "USR1", "--signal-before", "3s");
    await running.sees(/ready/);

    await running.sees(/got SIGUSR1/);
    running.type("read 0 1");
    await running.sees(/read: (?!EFAULT)/);
    await running.sees(/was taken back \(expired/);
    const { stdout } = await exitWith(running, 0);

    expect(stdout.match(/got SIGUSR1/g)).toHaveLength(1);
  });

  it("comes when an end is announced that is nearer", async () => {
    const running = exec("sim0/ddr", "--for", "1h", "--signal", "SIGUSR2", "--signal-before", "6m");
    await running.sees(/ready/);
    const { id } = await liveOf("sim0/ddr");

    await agent.run("revoke", String(id), "--notice", "5m");

    await running.sees(/got SIGUSR2/);
    await exitWith(running, 0);
  });

  it("does not come for an end that nobody announced", async () => {
    const running = exec("sim0/ddr", "--for", "1h", "--signal", "USR1");
    await running.sees(/ready/);

    await agent.run("revoke", String((await liveOf("sim0/ddr")).id));
    await running.sees(/was taken back \(operator/);

    expect((await exitWith(running, 0)).stdout).not.toContain("got");
  });

  it.each([
    ["that is none", ["--signal", "USR9"], /kill -l lists them/],
    ["that is not named", ["--signal-before", "10s"], /add --signal USR1/],
  ])("%s is refused before anything is borrowed", async (_name, options, said) => {
    const { code, stderr } = await agent.run("exec", "sim0/ddr", ...options, "--", "true");

    expect(stderr).toMatch(said);
    expect(code).toBe(2);
  });
});

describe("with --wait", () => {
  it("tells the place in line, and runs when its turn has come", async () => {
    const first = exec("sim0/ddr");
    await first.sees(/ready/);

    const second = exec("sim0/ddr", "--wait");
    await second.sees(/sim0\/ddr is taken\. Delegation \d+ waits in line, place 1, in [\dhms ]+ at the latest\./);
    await exitWith(first, 0);

    await second.sees(/ready/);
    expect((await exitWith(second, 0)).code).toBe(0);
  });

  it("leaves the line when it is interrupted", async () => {
    const first = exec("sim0/ddr");
    await first.sees(/ready/);
    const second = exec("sim0/ddr", "--wait");
    await second.sees(/place 1/);

    second.child.kill("SIGTERM");

    expect((await second.ended).code).toBe(143);
    const { items } = await agent.json<{ items: Delegation[] }>("delegations");
    expect(items.map(({ state }) => state)).toEqual(["active"]);
    await exitWith(first, 0);
  });
});
