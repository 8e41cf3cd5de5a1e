// A lease at a real agent.
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { createMemfd } from "@lendbuf/native/addon";
import { describe, expect, it } from "vitest";
import { until } from "../../../apps/agent/test/harness.ts";
import type { Connection } from "../src/connection.ts";
import { Closed, ConnectionLost, NotMappable, ReadOnly, Revoked, StillTaken, Suspended } from "../src/errors.ts";
import type { Lease } from "../src/lease.ts";
import { AgentStub } from "./agent-stub.ts";
import { BUFFER, clientAndOperator } from "./client-and-operator.ts";

const here = clientAndOperator();

const stateOf = async (id: number) => (await here.operator.call("delegations.get", { id })).state;

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe("borrowing by name", () => {
  it("asks for what the terms say", async () => {
    const terms = { for: "1h30m", readOnly: true, shared: true, keep: true, purpose: "a look" } as const;
    const lease = await here.connection.borrow(BUFFER, { ...terms, exporter: "memfd" });

    expect(lease.delegation).toMatchObject({
      buffer: BUFFER,
      access: "read-only",
      share: "shared",
      leaseMs: 5_400_000,
      keep: true,
      purpose: "a look",
      exporter: "memfd",
    });
    await lease.release();
  });

  it("leaves to the agent what they do not say", async () => {
    const named = await here.connection.borrow(BUFFER);
    await named.release();
    const plain = await here.connection.borrow({ buffer: BUFFER });

    const { access, share, leaseMs, keep, purpose } = plain.delegation;
    expect(named.delegation).toMatchObject({ access, share, leaseMs, keep, purpose });
  });

  it.each(["", "soon", "0s", 5 as unknown as string])("refuses %j as a duration", async (duration) => {
    await expect(here.connection.borrow(BUFFER, { for: duration })).rejects.toThrow(RangeError);
    await expect(here.connection.borrow(BUFFER, { wait: "60d" })).rejects.toThrow("more than 24 days");
  });

  it("stands in line until its turn comes", async () => {
    const first = await here.operator.borrow(BUFFER);
    const second = here.connection.borrow(BUFFER, { wait: true });
    await until(
      async () => (await here.operator.call("buffers.get", { name: BUFFER })).waiting === 1,
      "it stands in line",
    );

    await first.release();

    expect((await second).delegation.state).toBe("active");
  });

  it("gives its place up when its patience is over, or its signal says so", async () => {
    const first = await here.operator.borrow(BUFFER);
    const stop = new AbortController();
    const inLine = async () => (await here.operator.call("buffers.get", { name: BUFFER })).waiting;

    const stopped = here.connection.borrow(BUFFER, { wait: "1h", signal: stop.signal });
    await until(async () => (await inLine()) === 1, "it stands in line");
    stop.abort(new Error("enough"));

    await expect(stopped).rejects.toThrow("enough");
    await expect(here.connection.borrow(BUFFER, { wait: "20ms" })).rejects.toBeInstanceOf(StillTaken);
    await until(async () => (await inLine()) === 0, "nobody stands in line");
    await first.release();
  });
});

describe("memory", () => {
  it("is read and written, and seen by whoever borrows it next", async () => {
    const lease = await here.connection.borrow(BUFFER);
    lease.write(100, Buffer.from("hello"));
    lease.store8(200, 0x12);
    lease.store16(202, 0x3456);
    lease.store32(204, 0x789a_bcde);
    lease.store64(208, 0x0102_0304_0506_0708n);
    await lease.release();

    const next = await here.connection.borrow(BUFFER, { readOnly: true });

    expect(Buffer.from(next.read(100, 5)).toString()).toBe("hello");
    expect(next.load8(200)).toBe(0x12);
    expect(next.load16(202)).toBe(0x3456);
    expect(next.load32(204)).toBe(0x789a_bcde);
    expect(next.load64(208)).toBe(0x0102_0304_0506_0708n);
    expect(next.read(next.size - 3)).toHaveLength(3);
    const bytes = Buffer.from("........");
    next.readInto(100, bytes.subarray(2, 7));
    expect(bytes.toString()).toBe("..hello.");
  });

  it("refuses what is not within, before it allocates", async () => {
    const lease = await here.connection.borrow(BUFFER);

    for (const [offset, length] of [
      [-1, 1],
      [0, lease.size + 1],
      [lease.size + 1, undefined],
      [0, 2 ** 52],
      [0.5, 1],
      [Number.NaN, 1],
    ] as const)
      expect(() => lease.read(offset, length)).toThrow("do not lie within");
    expect(() => lease.write(lease.size - 1, new Uint8Array(2))).toThrow(RangeError);
    expect(() => lease.readInto(lease.size - 1, new Uint8Array(2))).toThrow("do not lie within");
    expect(() => lease.load32(lease.size)).toThrow(RangeError);
    expect(() => lease.load32(2)).toThrow(RangeError);
  });

  it("refuses writing to what was borrowed read-only", async () => {
    const lease = await here.connection.borrow(BUFFER, { readOnly: true });

    expect(thrownBy(() => lease.store32(0, 1))).toBeInstanceOf(ReadOnly);
    expect(() => lease.write(0, new Uint8Array(1))).toThrow("borrow it without readOnly");
  });

  it("that was taken back is told by type, and why as soon as the agent was asked", async () => {
    const lease = await here.connection.borrow(BUFFER);
    lease.store32(0, 1);

    await here.operator.call("delegations.revoke", { ids: [lease.delegation.id] });

    const bytes = new Uint8Array(4);
    for (const access of [
      () => lease.load32(0),
      () => lease.read(0, 4),
      () => lease.readInto(0, bytes),
      () => lease.write(0, bytes),
    ]) {
      const error = thrownBy(access);
      expect(error).toBeInstanceOf(Revoked);
      expect(error).toMatchObject({ code: "EFAULT", reason: undefined, cause: { code: "EFAULT" } });
    }
    expect(await lease.now()).toMatchObject({ state: "revoked" });
    expect(thrownBy(() => lease.load32(0))).toMatchObject({
      reason: "operator",
      message: expect.stringContaining("an operator revoked it"),
    });
  });

  it("is closed with the lease", async () => {
    const lease = await here.connection.borrow(BUFFER);
    lease.store32(0, 1);

    lease.close();

    expect(thrownBy(() => lease.load32(0))).toBeInstanceOf(Closed);
    expect(thrownBy(() => lease.fd)).toBeInstanceOf(Closed);
    expect(await stateOf(lease.delegation.id)).toBe("active");
  });
});

// What this host's devices do not do.
describe("memory of which an agent says", () => {
  const delegation = { id: 7, buffer: "x", access: "read-only", state: "active", reason: null, suspended: false };

  async function borrow(stub: AgentStub, client: Connection, fd: number): Promise<Lease> {
    const answer = client.borrow("x");
    const { id } = await stub.request();
    stub.send({ id, result: { delegation, fds: ["export"], size: 4096 } }, [fd]);
    return answer;
  }

  it("that its device took it away for now is told from what was revoked", async () => {
    using stub = new AgentStub();
    using client = await stub.connect();
    const memfd = createMemfd("x", 4096);
    const lease = await borrow(stub, client, memfd);
    lease.load32(0);

    const now = lease.now();
    stub.send({ id: (await stub.request()).id, result: { ...delegation, suspended: true } });
    await now;

    expect(lease.load32(0)).toBe(0); // what it says is no reason not to look
    ftruncateSync(memfd, 0);
    expect(thrownBy(() => lease.load32(0))).toBeInstanceOf(Suspended);
    lease.close();
    closeSync(memfd);
  });

  it("nothing, and that cannot be mapped: how it could be reached", async () => {
    using stub = new AgentStub();
    using client = await stub.connect();
    const folder = openSync("/", "r");
    const lease = await borrow(stub, client, folder);

    const error = thrownBy(() => lease.load32(0));

    expect(error).toBeInstanceOf(NotMappable);
    expect(error).toMatchObject({ code: "ENODEV", message: expect.stringContaining('exporter: "staged"') });
    expect(lease.fd).toBeGreaterThan(0);
    lease.close();
    closeSync(folder);
  });
});

describe("a lease's end", () => {
  it("is put off by so much", async () => {
    const lease = await here.connection.borrow(BUFFER, { for: "10m" });

    const { expiresAt } = await lease.extend("5m");

    expect(expiresAt! - lease.delegation.expiresAt!).toBeCloseTo(300_000, -3);
    await expect(lease.extend("never")).rejects.toThrow(RangeError);
  });

  it("comes where the block is left that uses it", async () => {
    let id: number;
    {
      await using lease = await here.connection.borrow(BUFFER);
      id = lease.delegation.id;
      expect(await stateOf(id)).toBe("active");
    }

    expect(await stateOf(id)).toBe("revoked");
  });

  it("is no error there where the connection has ended before", async () => {
    const lease = await here.connection.borrow(BUFFER);
    here.connection.close();

    await expect(lease[Symbol.asyncDispose]()).resolves.toBeUndefined();
    await expect(lease.release()).rejects.toBeInstanceOf(ConnectionLost);
  });
});
