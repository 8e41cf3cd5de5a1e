import type { Delegation } from "@lendbuf/shared/delegation";
import { describe, expect, it } from "vitest";
import { agentAndConnection } from "./agent-and-connection.ts";

const here = agentAndConnection();

interface Said {
  dryRun: true;
  would: string;
  hits: Delegation[];
  refusal: { code: string; message: string } | null;
}

const request = (buffer: string) => here.connection.call("delegations.request", { buffer });
/** ch0 is lent, ch1 offered. */
async function lend(): Promise<{ active: number; offered: number }> {
  const lease = await here.connection.borrow({ buffer: "sim0/ch0" });
  lease.close();
  return { active: lease.delegation.id, offered: (await request("sim0/ch1")).id };
}

/** The same, but that what is lent is a window. */
async function lendWindow(): Promise<{ active: number; offered: number }> {
  const lease = await here.connection.borrow({ buffer: "sim0/ch0", exporter: "staged" });
  lease.close();
  return { active: lease.delegation.id, offered: 0 };
}

const words = (line: string, { active, offered }: { active: number; offered: number }) =>
  line.replace("ACTIVE", String(active)).replace("OFFERED", String(offered)).split(" ");

/** Before another program's words. */
function withOptions(line: readonly string[], ...options: string[]): string[] {
  const end = line.indexOf("--");
  return end === -1 ? [...line, ...options] : [...line.slice(0, end), ...options, ...line.slice(end)];
}

describe("--dry-run says what would happen and to whom, and the audit has no new entry", () => {
  it.each([
    ["revoke ACTIVE OFFERED", /^revoke 2 delegations$/, 2],
    ["revoke ACTIVE --notice 5m", /^revoke 1 delegation, those that are lent in 5m, after/, 1],
    ["revoke --all", /^revoke 2 delegations$/, 2],
    ["revoke --all --device sim0", /^revoke 2 delegations of sim0$/, 2],
    ["release OFFERED", /^withdraw delegation \d+ of sim0\/ch1$/, 1],
    ["release ACTIVE", /^give back delegation \d+ of sim0\/ch0$/, 1],
    ["extend ACTIVE 10m", /^add 10m to delegation \d+ of sim0\/ch0$/, 1],
    ["hand-over ACTIVE uid:4321", /^hand delegation \d+ of sim0\/ch0 over to uid:4321$/, 1],
    ["shorten ACTIVE 10m", /^take 10m from delegation \d+ of sim0\/ch0$/, 1],
    ["claim OFFERED", /^claim delegation \d+ of sim0\/ch1$/, 1],
    ["delegate sim0/ch2 --to uid:1234 --for 2h", /^offer uid:1234 sim0\/ch2 for 2h$/, 0],
    ["delegate sim0/ch0 --wait", /^stand in line for sim0\/ch0, place 1, then offer sim0\/ch0 for 1h$/, 0],
    ["exec sim0/ch2 -- touch /nonexistent/x", /^run touch with sim0\/ch2 for 1h$/, 0],
    ["define sim0/own --device sim0 --region 2 --range 5MiB+8KiB", /^define sim0\/own: 8 KiB of sim0, region 2$/, 0],
    ["poke sim0/ch0 8 100000", /^write 0x186a0 at 0x8 of sim0\/ch0$/, 1],
    ["token create nightly", /^make a token for uid:\d+$/, 0],
  ])("%s", async (line, would, hits) => {
    const lent = await lend();
    const before = await here.connection.call("audit.verify");

    const { code, stdout } = await here.agent.run(...withOptions(words(line, lent), "--dry-run", "--json"));
    const said = JSON.parse(stdout) as Said;

    expect(code).toBe(0);
    expect(said).toMatchObject({ dryRun: true, would: expect.stringMatching(would), refusal: null });
    expect(said.hits).toHaveLength(hits);
    expect(await here.connection.call("audit.verify")).toEqual(before);
  });

  it("in words, with a table of whom it hits", async () => {
    const { active } = await lend();

    const { stdout, code } = await here.agent.run("revoke", String(active), "--dry-run");

    expect(stdout).toMatch(/^Would revoke 1 delegation\. Nothing was changed\.\n *ID {2}BUFFER/);
    expect(stdout).toMatch(new RegExp(`^ *${active} {2}sim0/ch0 .* active `, "m"));
    expect(code).toBe(0);
  });
});

describe("--dry-run tells a refusal, with the exit code that the command itself has then", () => {
  it.each([
    ["delegate sim0/ch0", "BUSY"],
    ["exec sim0/ch1 -- true", "BUSY"],
    ["delegate sim0/ch2 --for 3000d", "LIMIT"],
    ["delegate sim0/ch2 --exporter vfio", "UNSUPPORTED"],
    ["delegate sim0/ch2 --shared", "UNSUPPORTED"],
    ["extend OFFERED 10m", "NOT_READY"],
    ["extend ACTIVE 3000d", "LIMIT"],
    ["claim ACTIVE", "ALREADY_CLAIMED"],
    ["sync OFFERED to-device", "NOT_READY"],
    ["sync ACTIVE to-device", "UNSUPPORTED"],
    ["define sim0/ch0 --device sim0 --region 2 --range 5MiB+8KiB", "ALREADY_EXISTS"],
    ["define sim0/own --device sim0 --region 2 --range 0+4KiB", "OVERLAP"],
    ["define sim0/own --device sim1 --region 2 --range 0+4KiB", "NOT_FOUND"],
    ["define sim0/own --device sim0 --region 2 --range 1+4KiB", "BAD_INPUT"],
    ["define sim0/own --device sim0 --region 2 --range 900GiB+4KiB", "BAD_INPUT"],
    ["undefine sim0/ch0", "NOT_ALLOWED"],
    ["device suspend sim0", "UNSUPPORTED"],
    ["token remove no-such", "NOT_FOUND"],
    ["session end no-such", "NOT_FOUND"],
  ])("%s: %s", async (line, code) => {
    const lent = await lend();
    const asked = words(line, lent);

    const dry = await here.agent.run(...withOptions(asked, "--dry-run", "--json"));
    const real = await here.agent.run(...withOptions(asked, "--json"));

    expect((JSON.parse(dry.stdout) as Said).refusal?.code).toBe(code);
    expect(JSON.parse(real.stderr).error.code).toBe(code);
    expect(dry.code).toBe(real.code);
  });
});

it("--dry-run of a copy between a window and the device says how much, and copies nothing", async () => {
  const { active } = await lendWindow();
  const sync = (...options: string[]) => here.agent.run("sync", String(active), "to-device", "--json", ...options);

  const dry = await sync("--offset", "4096", "--dry-run");
  const odd = await sync("--offset", "2", "--dry-run");
  const real = await sync("--offset", "2");
  const { stdout } = await here.agent.run("peek", "sim0/ch0", "4096", "--count", "64");

  expect(JSON.parse(dry.stdout)).toMatchObject({ would: "copy 1020 KiB of sim0/ch0 to the device", refusal: null });
  expect(JSON.parse(odd.stdout).refusal.code).toBe("BAD_INPUT");
  expect([dry.code, odd.code, real.code]).toEqual([0, 2, 2]);
  // The window is all zeros, the device is not.
  expect(stdout).toMatch(/ 0x(?!0{8}$)/m);
});
