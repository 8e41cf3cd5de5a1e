import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { END_REASONS } from "@lendbuf/shared/delegation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Datagrams } from "./datagrams.ts";
import { type Answer, Door } from "./door-client.ts";
import { type AgentProcess, startAgent, temporaryFolder, until } from "./harness.ts";

const MONITORING = new URL("../../../packaging/monitoring/", import.meta.url);

describe("/metrics", () => {
  let agent: AgentProcess;
  let client: Connection;
  let headers: { authorization: string };

  beforeAll(async () => {
    agent = await startAgent();
    client = await agent.connect();
    headers = { authorization: `Bearer ${(await client.call("tokens.create", { name: "prometheus" })).token}` };
  }, 30_000);

  afterAll(() => agent?.stop(), 30_000);

  const ask = (): Promise<Answer> => new Door(agent).ask({ path: "/metrics", headers });

  /** The value of a sample, by its name with its labels. */
  async function value(sample: string): Promise<number> {
    const line = (await ask()).text.split("\n").find((one) => one.startsWith(`${sample} `));
    return line === undefined ? Number.NaN : Number(line.slice(sample.length + 1));
  }

  it("takes a token, and nothing else", async () => {
    const door = new Door(agent);

    expect((await door.ask({ path: "/metrics" })).status).toBe(401);
    expect((await door.ask({ path: "/metrics", headers: { authorization: "Bearer x" } })).status).toBe(401);
    const { status, headers: answered } = await ask();
    expect([status, answered["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  });

  it("has every label from the start", async () => {
    const { text } = await ask();

    for (const reason of Object.keys(END_REASONS)) expect(text).toContain(`lendbuf_ends_total{reason="${reason}"} `);
    for (const state of ["waiting", "offered", "active", "revoking"])
      expect(text).toContain(`lendbuf_delegations{device="sim0",state="${state}"} 0`);
    expect(text).toContain('lendbuf_revoke_duration_seconds_count{method="dma-buf-revoke"} 0');
    expect(text).toContain('lendbuf_refusals_total{code="BLAST_RADIUS"} 0');
  });

  it("counts what is lent, waits, ended and was refused", async () => {
    const before = {
      grants: await value('lendbuf_grants_total{device="sim0"}'),
      ends: await value('lendbuf_ends_total{reason="operator"}'),
      revokes: await value('lendbuf_revoke_duration_seconds_count{method="ftruncate"}'),
      busy: await value('lendbuf_refusals_total{code="BUSY"}'),
      writes: await value("lendbuf_store_write_seconds_count"),
    };
    const lease = await client.borrow({ buffer: "sim0/ch0" });
    await client.call("delegations.request", { buffer: "sim0/ch0", wait: true });
    await expect(client.call("delegations.request", { buffer: "sim0/ch0" })).rejects.toThrow();

    expect(await value('lendbuf_delegations{device="sim0",state="active"}')).toBe(1);
    expect(await value('lendbuf_delegations{device="sim0",state="waiting"}')).toBe(1);
    expect(await value("lendbuf_queue_longest")).toBe(1);
    expect(await value('lendbuf_grants_total{device="sim0"}')).toBe(before.grants + 1);
    expect(await value('lendbuf_refusals_total{code="BUSY"}')).toBe(before.busy + 1);

    await client.call("delegations.revoke", { ids: [lease.delegation.id] });
    await client.call("delegations.revokeAll");

    expect(await value('lendbuf_ends_total{reason="operator"}')).toBe(before.ends + 1);
    expect(await value('lendbuf_revoke_duration_seconds_count{method="ftruncate"}')).toBe(before.revokes + 1);
    expect(await value('lendbuf_delegations{device="sim0",state="active"}')).toBe(0);
    expect(await value("lendbuf_store_write_seconds_count")).toBeGreaterThan(before.writes);
    expect(await value('lendbuf_connections{door="socket"}')).toBe(1);
    expect(await value("lendbuf_audit_last_seq")).toBe((await client.call("audit.head")).seq);
  });

  it.each(["lendbuf-alerts.yml", "grafana-dashboard.json"])(
    "has every metric and label that %s asks for",
    async (file) => {
      const { text } = await ask();
      const used = readFileSync(new URL(file, MONITORING), "utf8").matchAll(
        /\b((?:lendbuf|process)_[a-z_]+)(?:\{([^}]*)\})?/g,
      );

      const names = new Set<string>();
      for (const [, name, matchers = ""] of used) {
        names.add(name!);
        expect(text).toMatch(new RegExp(`^${name}[ {]`, "m"));
        for (const [, label] of matchers.matchAll(/(\w+)\\?=~?/g))
          if (label !== "instance" && label !== "job")
            expect(text, `${name}{${label}}`).toMatch(new RegExp(`^${name}\\{.*\\b${label}="`, "m"));
      }
      expect(names.size).toBeGreaterThan(8);
    },
  );
});

describe("/healthz and /readyz", () => {
  it("answer without credentials, and say which device is not ready", async () => {
    await using agent = await startAgent({ args: ["--devices", "0000:ff:1f.7"] });
    const door = new Door(agent);

    const alive = await door.ask({ path: "/healthz" });
    const ready = await door.ask({ path: "/readyz" });

    expect([alive.status, alive.json.ok]).toEqual([200, true]);
    expect(ready.status).toBe(503);
    expect(ready.json).toMatchObject({ ok: false, notReady: ["device 0000:ff:1f.7"] });
  }, 30_000);

  it("are both well where all can be lent", async () => {
    await using agent = await startAgent();

    const ready = await new Door(agent).ask({ path: "/readyz" });

    expect([ready.status, ready.json.notReady]).toEqual([200, []]);
  }, 30_000);
});

describe("the service manager", () => {
  it.each([["at a path"], ["at an abstract name"]])(
    "is told of readiness, life, state and end %s",
    async (where) => {
      using manager = await Datagrams.open(where === "at a path" ? undefined : `@lendbuf-test-${process.pid}`);
      await using agent = await startAgent({ env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "200000" } });

      const ready = await manager.sees(/^READY=1$/m);
      expect(ready).toContain(`MAINPID=${agent.pid}\n`);
      expect(ready).toContain("STATUS=Lending 0,");
      await manager.sees(/^WATCHDOG=1$/);
      await until(() => manager.received.filter((one) => one === "WATCHDOG=1").length >= 3, "it goes on saying so");
      const client = await agent.connect();
      await client.borrow({ buffer: "sim0/ch0" });
      await manager.sees(/^STATUS=Lending 1,/);

      for (const pid of agent.wardens) expect(environmentOf(pid)).not.toContain("NOTIFY_SOCKET");
      agent.kill("SIGTERM");

      await manager.sees(/^STOPPING=1$/m);
      expect((await agent.exited).code).toBe(0);
    },
    30_000,
  );

  it("that is not there is no reason to fail", async () => {
    await using agent = await startAgent({ env: { NOTIFY_SOCKET: "/nonexistent/notify", WATCHDOG_USEC: "200000" } });

    expect((await (await agent.connect()).call("status.get")).pid).toBe(agent.pid);
    expect(agent.output).toContain("the service manager could not be told");
  }, 30_000);

  function environmentOf(pid: number): string {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  }
});

describe("the audit's copy", () => {
  it.each([
    ["journal", /^LENDBUF_ACTION=delegation\.requested$/m, /^LENDBUF_DELEGATION=1$/m],
    [
      "syslog",
      /^<86>[A-Z][a-z]{2} [ \d]\d [\d:]{8} lendbuf\[\d+\]: audit \d+: delegation\.requested 1 sim0\/ch0 by uid:/,
      /"purpose":"a copy"/,
    ],
  ])(
    "goes to %s",
    async (format, first, second) => {
      using receiver = await Datagrams.open();
      await using agent = await startAgent({ args: ["--audit-copy", `${format}:${receiver.path}`] });
      const client = await agent.connect();

      await client.call("delegations.request", { buffer: "sim0/ch0", purpose: "a copy" });

      expect(await receiver.sees(first)).toMatch(second);
    },
    30_000,
  );

  it("holds nobody up where it is not read, or gone, and goes on when it can", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "socket");
    const receiver = await Datagrams.open(path);
    await using agent = await startAgent({ args: ["--audit-copy", `journal:${path}`] });
    const client = await agent.connect();
    receiver.stopReading();
    for (let i = 0; i < 300; i++) {
      const { id } = await client.call("delegations.request", { buffer: "sim0/ch0", purpose: "x".repeat(200) });
      await client.call("delegations.release", { id });
    }
    receiver[Symbol.dispose]();
    await until(() => agent.output.includes("the audit's copy cannot be sent"), "it says so");
    await client.call("delegations.request", { buffer: "sim0/ch0" });

    const { seq } = await client.call("audit.head");
    expect(seq).toBeGreaterThan(600);
    expect(await client.call("audit.verify")).toMatchObject({ ok: true });
    using again = await Datagrams.open(path);
    await again.sees(new RegExp(`^LENDBUF_SEQ=${seq}$`, "m"));
    rmSync(folder, { recursive: true });
  }, 60_000);
});

describe("the log", () => {
  it("has each entry of the audit with the ids by which it is found, where it is asked for them", async () => {
    await using agent = await startAgent({ env: { LENDBUF_LOG: "info" } });
    const client = await agent.connect();
    const { id } = await client.call("delegations.request", { buffer: "sim0/ch0" });
    const { seq } = await client.call("audit.head");

    await until(() => agent.output.includes(`"seq":${seq}`), "the line");

    const line = agent.output.split("\n").find((one) => one.includes(`"seq":${seq}`))!;
    expect(JSON.parse(line)).toMatchObject({
      seq,
      delegation: id,
      buffer: "sim0/ch0",
      action: "delegation.requested",
      actor: expect.stringContaining(`pid:${process.pid}`),
      msg: "audit",
    });
  }, 30_000);
});
