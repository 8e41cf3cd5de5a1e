import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePast } from "../src/past.ts";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
  const { id } = await agent.json<Delegation>("delegate", "sim0/ch0", "--purpose", '=1+1, a "formula"');
  await agent.run("release", String(id));
  await agent.run("exec", "sim0/ch1", "--", "true");
  await agent.run("release", "999");
});

afterAll(() => agent[Symbol.asyncDispose]());

describe("audit who", () => {
  it("says who had it, and how it ended", async () => {
    const running = agent.start("exec", "sim0/ch0", "--", "sh", "-c", "echo started; exec sleep 60");
    await running.sees(/started/);
    const had = await agent.run("audit", "who", "sim0/ch0", "--at", "now");
    running.child.kill("SIGTERM");
    await running.ended;

    const free = await agent.run("audit", "who", "sim0/ch0", "--at", "2020-01-01 15:00");

    expect(had.stdout).toMatch(/^ *ID +ACCOUNT +CLIENT +THEN +FROM +UNTIL +ENDED/);
    expect(had.stdout).toMatch(new RegExp(`uid:\\d+ +${running.child.pid} .* +active .* still +not yet`));
    expect(free.stdout).toBe("Nobody had sim0/ch0 at 2020-01-01 15:00:00.\n");
  });
});

describe("audit", () => {
  it("shows refusals with their words, and searches them", async () => {
    const { stdout } = await agent.run("audit", "--action", "request.refused", "--search", "NO delegation 999");

    expect(stdout).toMatch(/request\.refused .*delegations\.release.*NOT_FOUND.*There is no delegation 999/);
  });

  it("leaves out what was at another time", async () => {
    expect((await agent.run("audit", "--to", "1h ago")).stdout).toBe("No entries.\n");
    expect((await agent.run("audit", "--from", "1h ago")).stdout).toMatch(/delegation\.requested/);
  });
});

describe("an export", () => {
  const path = (format: string) => join(agent.directory, `audit.${format}`);

  it.each(["jsonl", "csv"])("as %s is verified by itself, and tells what was changed in it", async (format) => {
    const head = (await agent.run("audit", "head")).stdout.trim();
    const { stdout } = await agent.run("audit", "export", "--format", format);
    writeFileSync(path(format), stdout);
    const verify = (...more: string[]) => agent.run("audit", "verify", "--file", path(format), ...more);

    const whole = await verify("--head", head);
    writeFileSync(path(format), stdout.replace("formula", "formule"));
    const changed = await verify();
    writeFileSync(path(format), stdout.trimEnd().split("\n").slice(0, -1).join("\n"));
    const short = await verify("--head", head);

    const last = head.split(":")[0];
    expect(whole.stdout).toMatch(
      new RegExp(`^The chain is whole: ${last} entries, from 1 to ${last}, head [0-9a-f]{64}\\.\n$`),
    );
    expect(changed.stdout).toBe(
      "The chain is broken at entry 1: its hash does not fit its contents and its predecessor.\n",
    );
    expect(short.stdout).toBe(
      `The chain is broken at entry ${last}: the entry whose hash was kept is not in the file.\n`,
    );
    expect([whole.code, changed.code, short.code]).toEqual([0, 10, 10]);
  });

  it("with a filter says that others are left out", async () => {
    const { stdout } = await agent.run("audit", "export", "--action", "delegation.requested", "--action", "delegation");
    const lines = stdout.split("\n").filter((_, i) => i % 2 === 0);
    writeFileSync(path("jsonl"), lines.join("\n"));

    const { stdout: said, code } = await agent.run("audit", "verify", "--file", path("jsonl"));

    expect(said).toMatch(/^No entry was changed: \d+ entries, from 1 to \d+, with others left out in \d+ places\.\n$/);
    expect(code).toBe(0);
    expect(readFileSync(path("jsonl"), "utf8")).not.toContain("request.refused");
  });

  it("that is none is refused", async () => {
    writeFileSync(path("txt"), "hello\n");

    const { stderr, code } = await agent.run("audit", "verify", "--file", path("txt"));

    expect(stderr).toMatch(/audit\.txt:1 is no entry of an export/);
    expect(code).toBe(10);
  });

  it("misses no file that is not there", async () => {
    const { stderr, code } = await agent.run("audit", "verify", "--file", path("missing"));

    expect(stderr).toContain("ENOENT");
    expect(code).toBe(1);
  });
});

describe("audit verify --head", () => {
  it("finds that a head is none of this audit's", async () => {
    const { stdout, code } = await agent.run("audit", "verify", "--head", `1:${"0".repeat(64)}`);

    expect(stdout).toBe(
      "The chain is broken at entry 1: it is not the one whose hash was kept: the audit was rewritten.\n",
    );
    expect(code).toBe(10);
  });
});

describe("a time", () => {
  const now = new Date(2026, 10, 28, 12, 0).getTime(); // a Saturday
  const on = (day: number, hours = 0, minutes = 0) => new Date(2026, 10, day, hours, minutes).getTime();

  it.each<[string, number | undefined]>([
    ["2026-11-24 15:00", on(24, 15)],
    ["2026-11-24", on(24)],
    ["2026-11-24T15:00Z", Date.UTC(2026, 10, 24, 15)],
    ["2026-11-24T15:00+02:00", Date.UTC(2026, 10, 24, 13)],
    ["11:30", on(28, 11, 30)],
    ["13:30", on(27, 13, 30)],
    ["yesterday 15:00", on(27, 15)],
    ["last Tuesday 15:00", on(24, 15)],
    ["sat 13:00", on(21, 13)],
    ["saturday 11:00", on(28, 11)],
    ["2h ago", now - 7_200_000],
    ["now", now],
    ["15", undefined],
    ["25:00", undefined],
    ["2026-13-01", undefined],
    ["someday", undefined],
    ["", undefined],
  ])("%j", (text, at) => {
    expect(parsePast(text, now)).toBe(at);
  });
});
