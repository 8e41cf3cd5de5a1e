import { INPUTS, type Method } from "@lendbuf/shared/api";
import type { BufferView } from "@lendbuf/shared/buffer";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import { afterEach, describe, expect, it } from "vitest";
import { agentAndConnection } from "./agent-and-connection.ts";
import { run, start } from "./lendbuf.ts";
import { Recorder } from "./recorder.ts";

const here = agentAndConnection();

/** By which command each method is reached; ID stands for an offered delegation's. */
const COMMANDS: Record<Method, string> = {
  "status.get": "status",
  "status.watch": "status --follow",
  "devices.list": "devices",
  "devices.suspend": "device suspend sim0",
  "devices.resume": "device resume sim0",
  "devices.drain": "device drain sim0 --reason cleaning",
  "devices.undrain": "device undrain sim0",
  "host.doctor": "doctor",
  "host.dmabufs": "dmabufs",
  "buffers.list": "buffers",
  "buffers.get": "buffers get sim0/ch0",
  "buffers.define": "define sim0/own --device sim0 --region 2 --range 5MiB+8KiB",
  "buffers.remove": "undefine sim0/own",
  "buffers.lift": "lift sim0/ch0",
  "buffers.watch": "buffers --follow",
  "buffers.read": "read sim0/ch0",
  "buffers.peek": "peek sim0/regs 8",
  "buffers.poke": "poke sim0/regs 8 100000",
  "delegations.list": "delegations",
  "delegations.get": "delegations get ID",
  "delegations.watch": "watch",
  "delegations.follow": "delegations follow ID",
  "delegations.request": "delegate sim0/ch1",
  "delegations.claim": "claim ID -- true",
  "delegations.borrow": "exec sim0/ch1 -- true",
  "delegations.resume": 'call delegations.resume {"id":ID}',
  "delegations.extend": "extend ID 1h",
  "delegations.sync": "sync ID from-device",
  "delegations.handOver": "hand-over ID uid:4321",
  "delegations.release": "release ID",
  "delegations.revoke": "revoke ID",
  "delegations.revokeAll": "panic --yes",
  "delegations.holders": "holders ID",
  "reservations.list": "reservations",
  "reservations.watch": "reservations --follow",
  "reservations.create": "reserve sim0/ddr --from +10h --for 1m",
  "reservations.cancel": "reservations cancel 99",
  "audit.list": "audit",
  "audit.watch": "audit --follow",
  "audit.who": "audit who sim0/ch0 --at now",
  "audit.export": "audit export",
  "audit.head": "audit head",
  "audit.verify": "audit verify",
  "sessions.me": "whoami",
  "sessions.createLink": "login",
  "sessions.list": "session list",
  "sessions.end": "session end no-such",
  "tokens.create": "token create nightly",
  "tokens.list": "token list",
  "tokens.remove": "token remove no-such",
  "accounts.list": "account list",
  "accounts.create": "account create alice --uid 4321",
  "accounts.update": "account set alice --role operator",
  "accounts.remove": "account remove alice",
  "accounts.setPassword": "account password --remove",
  "policy.list": "policy list",
  "policy.define": "policy define students --who role:viewer --max-lease 2h",
  "policy.remove": "policy remove students",
  "policy.explain": "policy explain uid:0 sim0/ch0",
  "config.reload": "config reload",
};

describe("every method of the agent has a command", () => {
  afterEach(() => here.connection.call("devices.undrain", { name: "sim0" })); // for the next one to be granted

  it.each(Object.keys(INPUTS) as Method[])("%s", async (method) => {
    using recorder = new Recorder(here.agent.socket);
    const { id } = await here.connection.call("delegations.request", { buffer: "sim0/ch0" });
    const args = COMMANDS[method].split(" ").map((word) => word.replaceAll("ID", String(id)));

    const running = start(args, { env: { LENDBUF_SOCKET: recorder.socket } });
    running.child.stdin!.end();
    await recorder.sees(method);
    if (PROCEDURES[method] === "subscription" && method !== "audit.export") running.child.kill("SIGINT");
    const { code, stderr } = await running.ended;

    expect([stderr, code]).toEqual(EXPECTED[method] ?? [expect.stringMatching(/^(note: .*\n)*$/), 0]);
  });
});

/** What is refused here, by the here.agent. */
const EXPECTED: Partial<Record<Method, [unknown, number]>> = {
  "devices.suspend": [expect.stringMatching(/^lendbuf: Device sim0 cannot be suspended/), 8],
  "host.doctor": ["", expect.any(Number)],
  "delegations.resume": [expect.stringMatching(/^lendbuf: Delegation \d+ is offered/), 5],
  "delegations.extend": [expect.stringMatching(/^lendbuf: Delegation \d+ is /), 5],
  "delegations.handOver": [expect.stringMatching(/^lendbuf: Delegation \d+ is /), 5],
  "delegations.sync": [expect.stringMatching(/^lendbuf: Delegation \d+ is /), 5],
  "reservations.cancel": [expect.stringMatching(/^lendbuf: There is no reservation 99/), 4],
  "config.reload": [expect.stringMatching(/^lendbuf: This agent was started without a configuration file/), 8],
  "sessions.end": ['lendbuf: There is no session "no-such" of yours.\n', 4],
  "tokens.remove": ['lendbuf: There is no token "no-such" of yours.\n', 4],
};

describe("call", () => {
  it("prints a method's answer as it is", async () => {
    const { stdout, code } = await here.agent.run("call", "buffers.get", '{"name":"sim0/ch0"}');

    expect(JSON.parse(stdout)).toEqual(await here.agent.json<BufferView>("buffers", "get", "sim0/ch0"));
    expect(code).toBe(0);
  });

  it("goes on with a subscription, one line for each state, until Ctrl-C", async () => {
    const following = here.agent.start("call", "delegations.watch", '{"buffer":"sim0/ch0"}');
    await following.sees(/"total":0/);
    await here.agent.json("delegate", "sim0/ch0");
    await following.sees(/"total":1/);

    following.child.kill("SIGINT");
    const { code, stdout } = await following.ended;

    for (const line of stdout.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("items");
    expect(code).toBe(0);
  });

  it.each([
    ["an input that does not fit is the agent's to refuse", ["call", "buffers.get", '{"nam":1}'], /Bad input: /],
    [
      "a method that is not there: those of its noun are named",
      ["call", "buffers.lst"],
      /Of buffers there are buffers\.list,/,
    ],
    ["no JSON", ["call", "buffers.get", "{name:1}"], /Write a JSON object/],
    ["an array", ["call", "buffers.get", "[1]"], /Write a JSON object/],
    ["memory goes to a program", ["call", "delegations.claim", '{"id":1}'], /use lendbuf exec or claim/],
  ])("%s", async (_name, args, said) => {
    const { code, stderr } = await here.agent.run(...args);

    expect(stderr).toMatch(said);
    expect(code).toBe(2);
  });
});

describe("read", () => {
  it("shows bytes as digits and text, and repeated lines once", async () => {
    await here.agent.run(
      "exec",
      "sim0/ddr",
      "--",
      "sh",
      "-c",
      "printf 'hello, world' | dd of=/proc/self/fd/3 conv=notrunc",
    );

    const { stdout } = await here.agent.run("read", "sim0/ddr");

    expect(stdout.split("\n")[0]).toBe("00000000  68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 00 00 00 00  |hello, world....|");
    expect(stdout).toMatch(/^00000010 {2}(00 ){16} \|\.{16}\|\n\*\n$/m);
  });

  it("fits a terminal of 40 columns", async () => {
    const { stdout } = await run(["read", "sim0/ddr", "--length", "16"], {
      env: { LENDBUF_SOCKET: here.agent.socket, COLUMNS: "40" },
    });

    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
  });

  it("--raw writes the bytes themselves, over as many answers as it takes", async () => {
    await here.agent.run(
      "exec",
      "sim0/ddr",
      "--",
      "sh",
      "-c",
      "printf end | dd of=/proc/self/fd/3 bs=1 seek=99997 conv=notrunc",
    );

    const { stdout, code } = await here.agent.run("read", "sim0/ddr", "--raw", "--offset", "20", "--length", "99980");

    expect(stdout.length).toBe(99_980);
    expect(stdout.endsWith("\0end")).toBe(true);
    expect(code).toBe(0);
  });

  it("refuses an offset behind the end", async () => {
    const { stderr, code } = await here.agent.run("read", "sim0/ch1", "--offset", "0x100000");

    expect(stderr).toContain("sim0/ch1, which has 1048576 bytes");
    expect(code).toBe(2);
  });
});
