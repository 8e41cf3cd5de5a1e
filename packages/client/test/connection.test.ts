import { fstatSync, readdirSync, readlinkSync } from "node:fs";
import { createMemfd } from "@lendbuf/native/addon";
import { AgentError } from "@lendbuf/shared/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "../src/connection.ts";
import { ConnectionLost, RemoteSystemError } from "../src/errors.ts";
import { AgentStub } from "./agent-stub.ts";

let agent: AgentStub;
let connection: Connection;

beforeEach(async () => {
  agent = new AgentStub();
  connection = await agent.connect();
});

afterEach(() => {
  connection.close();
  agent[Symbol.dispose]();
});

const delegation = { id: 7, buffer: "sim0/ch0", access: "read-write", state: "active" };

function openMemfds(name: string): number {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith(`/memfd:${name}`)).length;
}

describe("a call", () => {
  it("is one JSON-RPC request, and resolves with the result", async () => {
    const answer = connection.call("buffers.get", { name: "sim0/ch0" });
    const request = await agent.request();

    agent.send({ id: request.id, result: { name: "sim0/ch0" } });

    expect(request).toEqual({ jsonrpc: "2.0", id: 1, method: "buffers.get", params: { name: "sim0/ch0" } });
    expect(await answer).toEqual({ name: "sim0/ch0" });
  });

  it("gets its own reply, in whatever order they come", async () => {
    const first = connection.call("buffers.get", { name: "a" });
    const second = connection.call("buffers.get", { name: "b" });
    const [one, two] = [await agent.request(), await agent.request()];

    agent.send({ id: two.id, result: "second" });
    agent.send({ id: one.id, result: "first" });

    expect(await Promise.all([first, second])).toEqual(["first", "second"]);
  });

  it("rejects with the agent's code and sentence", async () => {
    const answer = connection.call("delegations.get", { id: 9 });
    const { id } = await agent.request();

    agent.send({ id, error: { code: -32004, message: "No delegation 9.", data: { code: "NOT_FOUND" } } });

    const error = await answer.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: "NOT_FOUND", message: "No delegation 9." });
  });

  it("keeps errno and syscall of what failed in the agent", async () => {
    const answer = connection.call("status.get");
    const { id } = await agent.request();

    agent.send({
      id,
      error: { code: -32000, message: "ftruncate: EIO", data: { code: "EIO", errno: 5, syscall: "ftruncate" } },
    });

    const error = await answer.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RemoteSystemError);
    expect(error).toMatchObject({ code: "EIO", errno: 5, syscall: "ftruncate" });
  });

  it("calls a code that nobody knows INTERNAL", async () => {
    const answer = connection.call("status.get");
    const { id } = await agent.request();

    agent.send({ id, error: { code: -32603, message: "oops", data: { code: "NEW_CODE" } } });

    await expect(answer).rejects.toMatchObject({ name: "AgentError", code: "INTERNAL", message: "oops" });
  });

  it("is cancelled at the agent by its signal, and rejects with the signal's reason", async () => {
    const stop = new AbortController();
    const answer = connection.call("status.get", undefined, { signal: stop.signal });
    const { id } = await agent.request();

    stop.abort(new Error("enough"));

    await expect(answer).rejects.toThrow("enough");
    expect(await agent.request()).toMatchObject({ method: "cancel", params: { id } });
  });

  it("closes descriptors that it did not ask for", async () => {
    const answer = connection.call("status.get");
    const { id } = await agent.request();
    const fd = createMemfd("unasked", 4096);

    agent.send({ id, result: {} }, [fd]);
    agent.send({ method: "event", params: { subscription: 99, data: {} } }, [fd]);
    agent.send({ id: 1234, result: {} }, [fd]);
    await answer;
    const sync = connection.call("status.get");
    agent.send({ id: (await agent.request()).id, result: {} });
    await sync;

    expect(openMemfds("unasked")).toBe(1); // the stub's own
  });
});

describe("a connection that ends", () => {
  it("rejects what is pending, ends subscriptions, and tells once", async () => {
    const call = connection.call("status.get");
    const feed = connection.subscribe("status.watch");
    await agent.request();
    const { id } = await agent.request();
    agent.send({ id, result: { subscription: id } });
    agent.send({ method: "event", params: { subscription: id, data: {} } });
    await feed.next();

    agent.hangUp();

    await expect(call).rejects.toBeInstanceOf(ConnectionLost);
    await expect(feed.next()).rejects.toBeInstanceOf(ConnectionLost);
    expect(await connection.closed).toBeInstanceOf(ConnectionLost);
    await expect(connection.call("status.get")).rejects.toBeInstanceOf(ConnectionLost);
  });

  it("is lost also for what is sent before anybody noticed", async () => {
    const stop = new AbortController();
    agent.hangUp();

    const stopped = connection.call("status.get", undefined, { signal: stop.signal });
    const call = connection.call("status.get");
    const feed = connection.subscribe("status.watch");
    stop.abort(new Error("enough"));

    await expect(stopped).rejects.toThrow("enough");
    await expect(call).rejects.toBeInstanceOf(ConnectionLost);
    await expect(feed.next()).rejects.toBeInstanceOf(ConnectionLost);
  });

  it("says what the agent complained of", async () => {
    agent.send({ id: null, error: { code: -32600, message: "Too many connections for uid 1000." } });
    agent.hangUp();

    expect((await connection.closed)?.message).toContain("Too many connections for uid 1000.");
  });

  it("is ended by a packet that is not JSON", async () => {
    const call = connection.call("status.get");
    await agent.request();

    agent.send("{oops");

    await expect(call).rejects.toThrow("not JSON");
    await agent.disconnected;
  });

  it("closed here: no reason, and idempotent", async () => {
    connection.close();
    connection.close();

    expect(await connection.closed).toBeUndefined();
    await agent.disconnected;
  });
});

describe("a lease", () => {
  async function borrow() {
    const answer = connection.borrow({ buffer: "sim0/ch0" });
    const request = await agent.request();
    const fd = createMemfd("lent", 8192);
    agent.send({ id: request.id, result: { delegation, fds: ["export"], size: 8192 } }, [fd]);
    return { lease: await answer, fd, request };
  }

  it("maps the very memory that was lent", async () => {
    const { lease, request } = await borrow();
    const mapping = lease.map();

    mapping.store(4096, 32, 0xabcd);

    expect(request).toMatchObject({ method: "delegations.borrow", params: { buffer: "sim0/ch0" } });
    expect(lease.map({ writable: false }).load(4096, 32)).toBe(0xabcd);
    expect(lease.delegation).toEqual(delegation);
    lease.close();
  });

  it("owns its descriptor and its mappings", async () => {
    const { lease } = await borrow();
    const mapping = lease.map();
    const { fd } = lease;

    lease.close();
    lease.close();

    expect(() => fstatSync(fd)).toThrow("EBADF");
    expect(() => lease.fd).toThrow("closed");
    expect(() => mapping.load(0, 8)).toThrow();
  });

  it("is given back where it is disposed of", async () => {
    const { lease } = await borrow();

    const disposed = lease[Symbol.asyncDispose]();
    const request = await agent.request();
    agent.send({ id: request.id, result: { ...delegation, state: "revoked" } });
    await disposed;

    expect(request).toMatchObject({ method: "delegations.release", params: { id: 7 } });
  });

  it("that arrives after the caller gave up is closed and given back", async () => {
    const stop = new AbortController();
    const answer = connection.claim(7, { signal: stop.signal });
    const claim = await agent.request();
    const fd = createMemfd("late", 4096);

    stop.abort();
    await expect(answer).rejects.toThrow();
    agent.send({ id: claim.id, result: { delegation, fds: ["export"], size: 4096 } }, [fd]);

    expect(await agent.request()).toMatchObject({ method: "cancel", params: { id: claim.id } });
    expect(await agent.request()).toMatchObject({ method: "delegations.release", params: { id: 7 } });
    expect(openMemfds("late")).toBe(1); // the stub's own
  });

  it("without a descriptor is an error", async () => {
    const answer = connection.claim(7);
    const { id } = await agent.request();

    agent.send({ id, result: { delegation, fds: ["export"], size: 4096 } });

    await expect(answer).rejects.toThrow("brought no descriptor");
  });
});

describe("a subscription", () => {
  const event = (subscription: number, params: object) =>
    agent.send({ method: "event", params: { subscription, ...params } });

  /** Until the client has received all that was sent so far. */
  async function settle() {
    const sync = connection.call("status.get");
    agent.send({ id: (await agent.request()).id, result: {} });
    await sync;
  }

  it("yields every audit entry until it is done, however late they are read", async () => {
    const seen: unknown[] = [];
    const feed = connection.subscribe("audit.watch", { after: 3 });
    const { id } = await agent.request();

    agent.send({ id, result: { subscription: id } });
    event(id, { data: { seq: 4 }, eventId: "4" });
    event(id, { data: { seq: 5 }, eventId: "5" });
    event(id, { done: true });
    await settle();
    for await (const entry of feed) seen.push(entry);

    expect(seen).toEqual([{ seq: 4 }, { seq: 5 }]);
  });

  it("skips states that were overtaken before they were read", async () => {
    const feed = connection.subscribe("delegations.follow", { id: 7 });
    const { id } = await agent.request();
    agent.send({ id, result: { subscription: id } });
    event(id, { data: { state: "offered" } });
    event(id, { data: { state: "active" } });
    event(id, { done: true });
    await settle();

    expect(await feed.next()).toMatchObject({ value: { state: "active" } });
    expect(await feed.next()).toMatchObject({ done: true });
  });

  it("is cancelled when its reader leaves", async () => {
    const feed = connection.subscribe("status.watch");
    const { id } = await agent.request();
    agent.send({ id, result: { subscription: id } });
    event(id, { data: {} });

    for await (const _status of feed) break;

    expect(await agent.request()).toMatchObject({ method: "cancel", params: { id } });
  });

  it("is cancelled by its signal, and throws the signal's reason", async () => {
    const stop = new AbortController();
    const feed = connection.subscribe("status.watch", undefined, { signal: stop.signal });
    const { id } = await agent.request();

    stop.abort(new Error("enough"));

    await expect(feed.next()).rejects.toThrow("enough");
    expect(await agent.request()).toMatchObject({ method: "cancel", params: { id } });
  });

  it.each([
    ["refused", (id: number, error: object) => agent.send({ id, error })],
    ["ended by the agent", (id: number, error: object) => event(id, { error })],
  ])("%s throws the agent's error", async (_name, refuse) => {
    const feed = connection.subscribe("delegations.follow", { id: 9 });
    const { id } = await agent.request();

    refuse(id, { code: -32004, message: "No delegation 9.", data: { code: "NOT_FOUND" } });

    await expect(feed.next()).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
