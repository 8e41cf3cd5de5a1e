import { connect as connectTcp } from "node:net";
import type { Connection } from "@lendbuf/client/connection";
import type { AuditEntry } from "@lendbuf/shared/audit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door } from "./door-client.ts";
import { type AgentProcess, startAgent, until } from "./harness.ts";

let agent: AgentProcess;
let client: Connection;

beforeAll(async () => {
  agent = await startAgent();
  client = await agent.connect();
}, 30_000);

afterAll(() => agent?.stop(), 30_000);

const newest = async (): Promise<AuditEntry> => (await client.call("audit.list", { limit: 1 })).items[0]!;

describe("the audit names who", () => {
  it("by pid and command, for a program of this host", async () => {
    const { id } = await client.call("delegations.request", { buffer: "sim0/ch0", purpose: "a look" });
    const entry = await newest();
    await client.call("delegations.release", { id });

    const who = { account: `uid:${process.getuid!()}`, uid: process.getuid!(), pid: process.pid, address: null };
    expect(entry).toMatchObject({ action: "delegation.requested", delegation: id, who, why: "a look" });
    expect(entry.who.command).toMatch(/\w/);
  });

  it("by where it came from, over HTTP", async () => {
    const { token } = await client.call("tokens.create", { name: "audit" });
    const headers = { authorization: `Bearer ${token}` };

    await new Door(agent).call("delegations.request", { buffer: "sim0/ch1" }, headers);

    const entry = await newest();
    await client.call("delegations.revokeAll");
    expect(entry.action).toBe("delegation.requested");
    expect(entry.who).toMatchObject({ pid: null, command: null, address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
  });

  it("answers who had a buffer, and how it ended", async () => {
    const lease = await client.borrow({ buffer: "sim0/ch0" });
    const { id, claimedAt } = lease.delegation;
    await until(() => Date.now() > claimedAt!, "a moment of having it");
    await lease.release();

    const { items } = await client.call("audit.who", { buffer: "sim0/ch0", at: claimedAt! });

    const process_ = { pid: process.pid, uid: process.getuid!(), command: expect.any(String) };
    expect(items).toMatchObject([
      {
        state: "active",
        client: process_,
        until: expect.any(Number),
        delegation: { id, state: "revoked", reason: "released", proof: { method: "ftruncate" } },
      },
    ]);
  });
});

describe("a refusal", () => {
  it("of a change is an entry with its code and words", async () => {
    await expect(client.call("delegations.extend", { id: 999_999, byMs: 1 })).rejects.toThrow("There is no delegation");

    expect(await newest()).toMatchObject({
      action: "request.refused",
      who: { pid: process.pid },
      method: "delegations.extend",
      errno: "NOT_FOUND",
      why: expect.stringContaining("There is no delegation 999999"),
      delegation: null,
      detail: { ids: [999_999] },
    });
  });

  it("of a look is none", async () => {
    const { seq } = await newest();

    await expect(client.call("buffers.get", { name: "no/such" })).rejects.toThrow("no buffer");

    expect((await newest()).seq).toBe(seq);
  });

  it("at the browser's door is an entry, whatever was asked for there", async () => {
    const door = new Door(agent);
    const answers = [
      await door.call("audit.list", {}),
      await door.call("made.up", {}),
      await door.ask({ path: "/", headers: { host: "evil.example" } }),
      await door.login("no such secret"),
    ];

    const { items } = await client.call("audit.list", { action: "request.refused", limit: 4 });
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 421, 401]);
    expect(items.reverse().map(({ method, errno }) => [method, errno])).toEqual([
      ["audit.list", "UNAUTHORIZED"],
      ["(unknown)", "UNAUTHORIZED"],
      ["connect", "WRONG_HOST"],
      ["login", "UNAUTHORIZED"],
    ]);
    for (const { who } of items)
      expect(who).toMatchObject({ account: null, address: expect.stringContaining("127.0.0.1:") });
  });

  it("at a WebSocket's beginning too", async () => {
    const { port } = new Door(agent);
    const socket = connectTcp(port, "127.0.0.1");
    socket.write(`GET /trpc HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    for await (const _ of socket);

    expect(await newest()).toMatchObject({ method: "connect", errno: "UNAUTHORIZED" });
  });
});

describe("a flood of refusals", () => {
  it("becomes a few entries, and one more that counts it when the agent ends", async () => {
    const flooded = await startAgent();
    try {
      const attacker = await flooded.connect();
      for (let i = 0; i < 20; i++)
        await Promise.allSettled(
          Array.from({ length: 50 }, () => attacker.call("delegations.release", { id: 999_999 })),
        );
      const { items } = await attacker.call("audit.list", { action: "request.refused" });
      expect(items).toHaveLength(20);
      flooded.kill("SIGTERM");
      await flooded.exited;

      await using again = await startAgent({ state: flooded.state, socket: flooded.socket });
      const client = await again.connect();
      const [last] = (await client.call("audit.list", { action: "request.refused", limit: 1 })).items;

      const counted = { call: "delegations.release", code: "NOT_FOUND", count: 980, since: expect.any(Number) };
      expect(last).toMatchObject({ actor: `uid:${process.getuid!()}`, detail: counted });
      expect(await client.call("audit.verify")).toMatchObject({ ok: true });
    } finally {
      await flooded.stop();
    }
  }, 30_000);
});

describe("the audit", () => {
  it("is exported through each door, and from a place on", async () => {
    const { seq, hash } = await client.call("audit.head");
    let text = "";
    for await (const piece of client.subscribe("audit.export", { after: seq - 3 })) text += piece.text;

    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number; hash: string });
    expect(rows.map((row) => row.seq)).toEqual([seq - 2, seq - 1, seq]);
    expect(rows.at(-1)!.hash).toBe(hash);
    expect(await client.call("audit.verify", { head: { seq, hash } })).toMatchObject({ ok: true });
  });

  it("is watched with a filter, where most does not fit", async () => {
    const stop = new AbortController();
    const watching = client.subscribe("audit.watch", { buffer: "sim0/ch1" }, { signal: stop.signal });
    const next = watching.next();
    await client.call("audit.head"); // the agent has the subscription by now
    const other = await client.call("delegations.request", { buffer: "sim0/ch0" });
    const { id } = await client.call("delegations.request", { buffer: "sim0/ch1" });

    expect((await next).value).toMatchObject({ action: "delegation.requested", delegation: id });
    stop.abort();
    await client.call("delegations.revoke", { ids: [other.id, id] });
  });

  it("forgets what is older than it keeps, and nothing that lives", async () => {
    await using short = await startAgent({ args: ["--audit-keep", "1s"] });
    const client = await short.connect();
    await client.call("buffers.define", {
      name: "lab/own",
      device: "sim0",
      region: 2,
      ranges: [{ offset: 4_194_304, length: 4096 }],
    });
    const kept = await client.call("delegations.request", { buffer: "sim0/ch0" });
    const ended = await client.call("delegations.request", { buffer: "sim0/ch1" });
    await client.call("delegations.release", { id: ended.id });

    await until(
      async () => {
        const verdict = await client.call("audit.verify");
        expect(verdict.ok).toBe(true);
        return (verdict.anchor?.seq ?? 0) >= 4;
      },
      "the entries are dropped",
      20_000,
    );

    await until(
      async () => (await client.call("delegations.list", { all: true })).total === 1,
      "the ended one's record is dropped",
    );
    await short.crash();
    await using again = await startAgent({ state: short.state, socket: short.socket });
    const after = await again.connect();
    expect(await after.call("delegations.get", { id: kept.id })).toMatchObject({
      state: "offered",
      buffer: "sim0/ch0",
    });
    await expect(after.call("delegations.get", { id: ended.id })).rejects.toThrow("There is no delegation");
    expect(await after.call("buffers.get", { name: "lab/own" })).toMatchObject({ size: 4096 });
    const next = await after.call("delegations.request", { buffer: "sim0/ch1" });
    expect(next.id).toBe(ended.id + 1);
  }, 60_000);
});
