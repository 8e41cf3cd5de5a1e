// The rules through a door, with delegations that are held, ended and extended.
import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Door, type SignedIn } from "./door-client.ts";
import { type AgentProcess, startAgent, until } from "./harness.ts";

let agent: AgentProcess;
let root: Connection;
let door: Door;
let alice: SignedIn;
let bob: SignedIn;

beforeAll(async () => {
  agent = await startAgent({ args: ["--allow-irrevocable", "sim0/ddr,sim0/regs"] });
  root = await agent.connect();
  door = new Door(agent);
  alice = await signIn("alice");
  bob = await signIn("bob");
});

afterEach(async () => {
  await root.call("delegations.revokeAll");
  for (const { name } of (await root.call("policy.list")).items) await root.call("policy.remove", { name });
});

afterAll(() => agent?.stop());

async function signIn(name: string): Promise<SignedIn> {
  await root.call("accounts.create", { name });
  const { url } = await root.call("sessions.createLink", { account: name });
  return door.signInBy(url.split("#login=")[1]!);
}

async function ask(who: SignedIn, method: string, input: object) {
  const { json } = await door.call(method, input, door.page(who));
  return json.error ? { code: json.error.data.code, message: json.error.message } : json.result.data;
}

const request = (who: SignedIn, buffer: string, more = {}) => ask(who, "delegations.request", { buffer, ...more });

/** What the root's own account is refused. */
async function refusalOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const refused = await work.then(
    () => null,
    (error) => error,
  );
  return { code: refused?.code, message: refused?.message };
}

describe("a rule", () => {
  it("says who may borrow which buffers: the first that has an answer counts, and a refusal names it", async () => {
    await root.call("policy.define", { name: "alice-may", who: ["alice"], buffers: ["sim0/ch?"], allow: true });
    await root.call("policy.define", { name: "nobody-else", who: ["role:member"], buffers: ["sim0/*"], allow: false });

    expect(await request(alice, "sim0/ch0")).toMatchObject({ state: "offered", account: "alice" });
    expect(await request(bob, "sim0/ch1")).toEqual({
      code: "NOT_ALLOWED",
      message:
        'Rule "nobody-else" does not let bob borrow "sim0/ch1". Ask an admin, or choose another buffer. `lendbuf policy explain bob sim0/ch1` tells all that counts.',
    });
    expect(await request(alice, "sim0/ddr")).toMatchObject({ code: "NOT_ALLOWED" });
    expect(await root.call("delegations.request", { buffer: "sim0/ddr" })).toMatchObject({ state: "offered" });
  });

  it("counts for whom a delegation is, whoever asks for it", async () => {
    await root.call("policy.define", { name: "not-alice", who: ["alice"], allow: false });

    const refused = await refusalOf(root.call("delegations.request", { buffer: "sim0/ch0", account: "alice" }));

    expect(refused).toMatchObject({ code: "NOT_ALLOWED", message: expect.stringContaining('"not-alice"') });
  });

  it("limits a lease, also when it is extended", async () => {
    await root.call("policy.define", { name: "short", maxLeaseMs: 60_000 });

    expect(await request(alice, "sim0/ch0", { leaseMs: 60_001 })).toMatchObject({
      code: "LIMIT",
      message: expect.stringMatching(
        /^Rule "short" gives alice "sim0\/ch0" for 1m at most; this would be 1m\. Ask for less\./,
      ),
    });
    const lease = await root.borrow({ buffer: "sim0/ch0", leaseMs: 60_000 });
    const { id } = lease.delegation;
    expect(await refusalOf(root.call("delegations.extend", { id, byMs: 60_000 }))).toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining('Rule "short"'),
    });
    lease.close();
  });

  it("says whether one may stand in line, and extend", async () => {
    await root.call("policy.define", { name: "in-passing", mayQueue: false, mayExtend: false });
    const lease = await root.borrow({ buffer: "sim0/ch0" });

    expect(await request(alice, "sim0/ch0")).toMatchObject({ code: "BUSY" });
    expect(await request(alice, "sim0/ch0", { wait: true })).toMatchObject({
      code: "NOT_ALLOWED",
      message: expect.stringMatching(/^Rule "in-passing" does not let alice stand in line/),
    });
    const { id } = lease.delegation;
    expect(await refusalOf(root.call("delegations.extend", { id, byMs: 1 }))).toMatchObject({
      code: "NOT_ALLOWED",
      message: expect.stringMatching(/does not let uid:\d+ extend a lease/),
    });
    lease.close();
  });

  it("limits how many one has at once, of the buffers that it is about", async () => {
    await root.call("policy.define", { name: "one-channel", buffers: ["sim0/ch*"], maxAtOnce: 1 });

    const first: Delegation = await request(alice, "sim0/ch0");
    expect(first.state).toBe("offered");
    expect(await request(alice, "sim0/ch1")).toMatchObject({
      code: "LIMIT",
      message: expect.stringMatching(/^Rule "one-channel" gives alice 1 buffers of its kind at once/),
    });
    expect(await request(alice, "sim0/regs", { access: "read-only" })).toMatchObject({ state: "offered" });
    expect(await request(bob, "sim0/ch1")).toMatchObject({ state: "offered" });
    await ask(alice, "delegations.release", { id: first.id });
    expect(await request(alice, "sim0/ch2")).toMatchObject({ state: "offered" });
  });

  it("limits the time in seven days: what passed, and what may still come", async () => {
    const account = (await root.call("sessions.me")).account;
    const hour = 3_600_000;
    await root.call("policy.define", { name: "weekly", buffers: ["sim0/ch*"], maxPerWeekMs: hour });
    const before = await root.call("policy.explain", { buffer: "sim0/ch1" });
    const lease = await root.borrow({ buffer: "sim0/ch0", leaseMs: hour - 60_000 });
    await until(() => Date.now() > lease.delegation.claimedAt! + 20, "some time has passed");

    const tooMuch = await refusalOf(root.call("delegations.request", { buffer: "sim0/ch1", leaseMs: 60_001 }));
    const all = await root.call("policy.explain", { buffer: "sim0/ch1" });
    await root.call("delegations.release", { id: lease.delegation.id });
    lease.close();
    const afterwards = await root.call("policy.explain", { buffer: "sim0/ch1" });
    const later = await root.call("delegations.request", { buffer: "sim0/ch1", leaseMs: 120_000 });

    expect(tooMuch).toMatchObject({
      code: "LIMIT",
      message: expect.stringMatching(
        new RegExp(`^Rule "weekly" gives ${account} 1h in seven days, of which .* is left`),
      ),
    });
    const usedOf = ({ answers }: typeof all) => answers.find(({ question }) => question === "maxPerWeekMs")!.used!;
    expect(usedOf(all)).toBeGreaterThanOrEqual(hour - 60_000 - 1000);
    expect(usedOf(afterwards)).toBeGreaterThanOrEqual(usedOf(before) + 20);
    expect(usedOf(afterwards)).toBeLessThan(usedOf(all) / 2);
    expect(later.state).toBe("offered");
  });

  it("says whether one may have what nothing takes back, whatever the settings say", async () => {
    const answerFor = async (account: string, buffer: string) =>
      (await root.call("policy.explain", { account, buffer })).answers.find(
        ({ question }) => question === "allowIrrevocable",
      );
    await root.call("policy.define", { name: "trusted", who: ["alice"], buffers: ["sim0/*"], allowIrrevocable: true });
    await root.call("policy.define", { name: "nobody", buffers: ["sim0/ddr"], allowIrrevocable: false });

    expect(await answerFor("alice", "sim0/ch0")).toMatchObject({ answer: true, rule: "trusted" });
    expect(await answerFor("bob", "sim0/ch0")).toMatchObject({ answer: false, rule: null });
    expect(await answerFor("bob", "sim0/regs")).toMatchObject({ answer: true, rule: null });
    expect(await answerFor("bob", "sim0/ddr")).toMatchObject({ answer: false, rule: "nobody" });
  });

  it("lets some end by force what others have, and nobody else", async () => {
    await root.call("policy.define", {
      name: "team",
      who: ["bob"],
      buffers: ["sim0/ch*"],
      mayRevoke: ["alice", "bob"],
    });
    const [channel, memory] = [await request(alice, "sim0/ch0"), await request(alice, "sim0/ddr")];
    const ofBob = await request(bob, "sim0/ch1");

    const [ended] = await ask(bob, "delegations.revoke", { ids: [channel.id] });

    expect(ended).toMatchObject({ state: "cancelled", reason: "operator" });
    expect(await ask(bob, "delegations.revoke", { ids: [memory.id] })).toMatchObject({ code: "NOT_YOURS" });
    expect(await ask(alice, "delegations.revoke", { ids: [ofBob.id] })).toMatchObject({ code: "NOT_YOURS" });
    expect(await ask(bob, "delegations.release", { id: memory.id })).toMatchObject({ code: "NOT_YOURS" });
    expect(await ask(bob, "delegations.revoke", { ids: [ofBob.id] })).toMatchObject([{ reason: "withdrawn" }]);
  });

  it("that came after an offer counts at its claim; what is lent stays lent", async () => {
    const lease = await root.borrow({ buffer: "sim0/ch0" });
    const offer = await root.call("delegations.request", { buffer: "sim0/ch1" });

    await root.call("policy.define", { name: "closed", allow: false });

    expect(await refusalOf(root.claim(offer.id))).toMatchObject({
      code: "NOT_ALLOWED",
      message: expect.stringContaining('"closed"'),
    });
    expect(await root.call("delegations.get", { id: lease.delegation.id })).toMatchObject({ state: "active" });
    await root.call("policy.remove", { name: "closed" });
    (await root.claim(offer.id)).close();
    lease.close();
  });

  it("is listed in the order in which it counts, keeps its place when it is changed, and is in the audit", async () => {
    for (const name of ["b", "a", "c"]) await root.call("policy.define", { name, allow: true });
    await root.call("policy.define", { name: "a", allow: false });

    const first = await root.call("policy.list", { limit: 2 });
    const rest = await root.call("policy.list", { limit: 2, cursor: first.next! });
    await root.call("policy.remove", { name: "c" });
    const [last, before] = (await root.call("audit.list", { limit: 2 })).items;

    expect([...first.items, ...rest.items].map(({ name, allow }) => [name, allow])).toEqual([
      ["b", true],
      ["a", false],
      ["c", true],
    ]);
    expect(last).toMatchObject({ action: "rule.removed", detail: { name: "c" } });
    expect(before).toMatchObject({ action: "rule.defined", detail: { name: "a", allow: false } });
    expect(await refusalOf(root.call("policy.remove", { name: "c" }))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("is explained: to oneself, and to operators for everybody", async () => {
    await root.call("policy.define", {
      name: "students",
      who: ["role:member"],
      buffers: ["sim0/*"],
      mayExtend: false,
      maxAtOnce: 2,
    });
    await request(alice, "sim0/ch0");

    expect(await ask(alice, "policy.explain", { buffer: "sim0/ch1" })).toEqual({
      account: "alice",
      role: "member",
      buffer: "sim0/ch1",
      answers: [
        { question: "allow", answer: true, used: null, rule: null },
        { question: "mayQueue", answer: true, used: null, rule: null },
        { question: "mayExtend", answer: false, used: null, rule: "students" },
        { question: "allowIrrevocable", answer: false, used: null, rule: null },
        { question: "maxLeaseMs", answer: 604_800_000, used: null, rule: null },
        { question: "maxAtOnce", answer: 2, used: 1, rule: "students" },
      ],
    });
    expect(await ask(bob, "policy.explain", { buffer: "sim0/ch1", account: "alice" })).toMatchObject({
      code: "NOT_ALLOWED",
    });
    expect(await root.call("policy.explain", { buffer: "sim0/ch1", account: "bob" })).toMatchObject({ account: "bob" });
  });
});

it("rules outlive the agent", async () => {
  const first = await startAgent();
  const { state, socket } = first;
  try {
    const connection = await first.connect();
    await connection.call("policy.define", { name: "kept", tags: ["scarce"], maxPerWeekMs: 1000 });
    connection.close();
    await first.crash();
    await using second = await startAgent({ state, socket });

    expect((await (await second.connect()).call("policy.list")).items).toMatchObject([
      { name: "kept", tags: ["scarce"], maxPerWeekMs: 1000, source: "store" },
    ]);
  } finally {
    await first.stop();
  }
});
