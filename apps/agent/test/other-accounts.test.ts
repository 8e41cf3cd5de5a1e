import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";
import { Peer } from "./peer.ts";
import type { RawClient } from "./raw-client.ts";
import { type Watch, watchAgent } from "./trace.ts";

const isRoot = process.getuid!() === 0;
const SOMEBODY = 1000;
const SOMEBODY_ELSE = 1001;
const OVERFLOW = 65_534;

if (!isRoot) {
  it("another account acts on its own behalf only", ({ skip }) =>
    skip("only root can be somebody else: run the tests as root"));
}

describe.runIf(isRoot)("another account", () => {
  let agent: AgentProcess;
  let watch: Watch;
  let operator: RawClient;
  let peer: Peer;

  beforeAll(async () => {
    agent = await startAgent({ args: ["--visibility", "own"] });
    chmodSync(dirname(agent.socket), 0o755);
    watch = await watchAgent(agent);
  });

  afterAll(() => agent?.stop());

  beforeEach(async () => {
    chmodSync(agent.socket, 0o666);
    operator = agent.raw();
    peer = new Peer({ uid: SOMEBODY });
    await peer.connect(agent.socket);
  });

  afterEach(async () => {
    await peer.stop();
    operator.close();
    await watch.expectNoTrace();
  });

  it("that is not of the socket's group is turned away by the kernel", async () => {
    chmodSync(agent.socket, 0o660);

    expect(await peer.connect(agent.socket)).toEqual({ error: "EACCES" });
  });

  it("without a meaning on this host is told so and closed", async () => {
    const nobody = new Peer({ uid: OVERFLOW });
    await nobody.connect(agent.socket);

    const answer = JSON.parse((await nobody.receive()).text!);

    expect(answer).toMatchObject({ id: null, error: { data: { code: "NOT_ALLOWED" } } });
    expect(answer.error.message).toMatch(/not known here.*Connect as a user of this host/);
    expect(await nobody.receive()).toEqual({ end: true });
    await nobody.stop();
  });

  it("as root of a user namespace of its own is the user that made it", async () => {
    const root = new Peer({ uid: SOMEBODY, within: ["unshare", "--user", "--map-root-user"] });
    await root.connect(agent.socket);

    const { result } = await root.ask("sessions.me");

    expect(result).toMatchObject({ account: `uid:${SOMEBODY}`, role: "member" });
    await root.stop();
  });

  it("borrows on its own behalf", async () => {
    const { result } = await peer.ask("delegations.borrow", { buffer: "sim0/ch0" });

    expect(result.delegation).toMatchObject({ account: `uid:${SOMEBODY}`, client: { pid: peer.pid, uid: SOMEBODY } });
  });

  it.each([
    ["see", "delegations.get", (id: number) => ({ id })],
    ["claim", "delegations.claim", (id: number) => ({ id })],
    ["extend", "delegations.extend", (id: number) => ({ id, byMs: 1 })],
    ["copy to", "delegations.sync", (id: number) => ({ id, direction: "to-device" })],
    ["release", "delegations.release", (id: number) => ({ id })],
    ["revoke", "delegations.revoke", (id: number) => ({ ids: [id] })],
    ["announce the end of", "delegations.revoke", (id: number) => ({ ids: [id], noticeMs: 1000 })],
  ])("cannot %s another's delegation", async (_verb, method, params) => {
    const { error } = await peer.ask(method, params(watch.bystander.id));

    expect(error.data.code).toBe("NOT_YOURS");
    expect(error.message).toMatch(
      new RegExp(`Delegation ${watch.bystander.id} belongs to .*; you are uid:${SOMEBODY}`),
    );
  });

  it("is not told how another's delegation ended", async () => {
    const { result } = await operator.ask("delegations.request", { buffer: "sim0/ch0" });
    await operator.ask("delegations.release", { id: result.id });

    const refused = [
      await peer.ask("delegations.claim", { id: result.id }),
      await peer.ask("delegations.extend", { id: result.id, byMs: 1 }),
    ];

    for (const { error } of refused) {
      expect(error.data.code).toBe("NOT_YOURS");
      expect(error.message).not.toMatch(/cancelled|withdrawn/);
    }
  });

  it("cannot follow another's delegation", async () => {
    const { result } = await peer.ask("delegations.follow", { id: watch.bystander.id });
    const { params } = JSON.parse((await peer.receive()).text!);

    expect(result).toHaveProperty("subscription");
    expect(params).toMatchObject({ error: { data: { code: "NOT_YOURS" } } });
  });

  it("cannot end its own together with another's: neither ends", async () => {
    const { result } = await peer.ask("delegations.request", { buffer: "sim0/ch0" });

    const { error } = await peer.ask("delegations.revoke", { ids: [result.id, watch.bystander.id] });
    const { result: after } = await peer.ask("delegations.get", { id: result.id });

    expect(error.data.code).toBe("NOT_YOURS");
    expect(after.state).toBe("offered");
    await peer.ask("delegations.release", { id: result.id });
  });

  it("lists only its own, whatever it asks for", async () => {
    for (const params of [{}, { all: true }, { buffer: "sim0/ddr" }, { account: "uid:0" }, { states: ["active"] }]) {
      const { result } = await peer.ask("delegations.list", params);
      const strangers = result.items.filter(({ account }: { account: string }) => account !== `uid:${SOMEBODY}`);

      expect(strangers).toEqual([]);
    }
    await peer.ask("delegations.watch");
    const { items, total, recent } = JSON.parse((await peer.receive()).text!).params.data;
    expect({ items, total }).toEqual({ items: [], total: 0 });
    for (const { account } of recent) expect(account).toBe(`uid:${SOMEBODY}`);
  });

  it("sees that a buffer is lent, but not to whom", async () => {
    const { result } = await peer.ask("buffers.get", { name: "sim0/ddr" });

    expect(result).toMatchObject({ state: "lent", current: [], occupied: 1 });
  });

  it.each([
    ["buffers.define", { name: "a", device: "sim0", region: 2, ranges: [{ offset: 0x400000, length: 4096 }] }],
    ["buffers.remove", { name: "sim0/ch0" }],
    ["devices.suspend", { name: "sim0" }],
    ["devices.resume", { name: "sim0" }],
    ["delegations.revokeAll", {}],
    ["delegations.request", { buffer: "sim0/ch0", account: "uid:0" }],
    ["audit.list", {}],
    ["audit.verify", {}],
  ])("may not %s", async (method, params) => {
    const { error } = await peer.ask(method, params);

    expect(error.data.code).toBe("NOT_ALLOWED");
    expect(error.message).toMatch(/takes the role operator; uid:1000 is a member/);
  });

  it("may not watch the audit", async () => {
    expect((await peer.ask("audit.watch")).error.data.code).toBe("NOT_ALLOWED");
  });

  it("claims what an operator delegates to it, and nobody else can, not even the operator", async () => {
    const { result } = await operator.ask("delegations.request", { buffer: "sim0/ch0", account: `uid:${SOMEBODY}` });
    const stranger = new Peer({ uid: SOMEBODY_ELSE });
    await stranger.connect(agent.socket);

    const refused = [
      await stranger.ask("delegations.claim", { id: result.id }),
      await operator.ask("delegations.claim", { id: result.id }),
    ];
    const claimed = await peer.ask("delegations.claim", { id: result.id });

    for (const { error } of refused) expect(error.data.code).toBe("NOT_YOURS");
    expect(claimed.result.delegation).toMatchObject({
      account: `uid:${SOMEBODY}`,
      requestedBy: "uid:0",
      state: "active",
    });
    await stranger.stop();
  });

  it("that revokes its own gives it back; an operator's revoke is by force", async () => {
    const { result: first } = await peer.ask("delegations.borrow", { buffer: "sim0/ch0" });
    const { result: second } = await peer.ask("delegations.borrow", { buffer: "sim0/ch1" });

    const own = await peer.ask("delegations.revoke", { ids: [first.delegation.id] });
    const forced = await operator.ask("delegations.revoke", { ids: [second.delegation.id] });

    expect(own.result[0]).toMatchObject({ state: "revoked", reason: "released" });
    expect(forced.result[0]).toMatchObject({ state: "revoked", reason: "operator" });
  });

  it("that announces the end of its own is not taken for an operator", async () => {
    const { result } = await peer.ask("delegations.borrow", { buffer: "sim0/ch0" });

    const announced = await peer.ask("delegations.revoke", { ids: [result.delegation.id], noticeMs: 60_000 });

    expect(announced.result[0]).toMatchObject({ state: "active", ending: { reason: "released" } });
  });

  it("has a limit of connections of its own, and reaching it disturbs no other account", async () => {
    expect(await peer.connect(agent.socket, 255)).toEqual({ connected: 256 });
    expect(await peer.connect(agent.socket)).toEqual({ connected: 257 });

    expect(JSON.parse((await peer.receive()).text!)).toMatchObject({ id: null, error: { data: { code: "LIMIT" } } });
    expect(await operator.ask("status.get")).toHaveProperty("result");
  });
});
