// Every procedure × every role, and every procedure × whose it is, by the table and through a door.
import { INPUTS, type Input, type Method } from "@lendbuf/shared/api";
import { PERMISSIONS } from "@lendbuf/shared/permissions";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import { atLeast, ROLES } from "@lendbuf/shared/role";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, Door, type SignedIn } from "./door-client.ts";
import { type AgentProcess, startAgent } from "./harness.ts";

/** Valid for each, and harmless where it is let in. */
const SAMPLES: { [M in Method]: Input<M> & object } = {
  "status.get": {},
  "status.watch": {},
  "devices.list": {},
  "devices.suspend": { name: "none" },
  "devices.resume": { name: "none" },
  "devices.drain": { name: "none", reason: "none" },
  "devices.undrain": { name: "none" },
  "host.doctor": {},
  "host.dmabufs": {},
  "buffers.list": {},
  "buffers.get": { name: "none" },
  "buffers.define": { name: "none", device: "none", region: 0, ranges: [{ offset: 0, length: 4096 }] },
  "buffers.remove": { name: "none" },
  "buffers.lift": { name: "none" },
  "buffers.watch": {},
  "buffers.read": { name: "none" },
  "buffers.peek": { name: "none", offset: 0 },
  "buffers.poke": { name: "none", offset: 0, value: "0x0" },
  "delegations.list": {},
  "delegations.get": { id: 999 },
  "delegations.watch": {},
  "delegations.follow": { id: 999 },
  "delegations.request": { buffer: "none" },
  "delegations.claim": { id: 999 },
  "delegations.borrow": { buffer: "none" },
  "delegations.resume": { id: 999 },
  "delegations.extend": { id: 999, byMs: 1 },
  "delegations.sync": { id: 999, direction: "to-device" },
  "delegations.handOver": { id: 999, account: "alice" },
  "delegations.release": { id: 999 },
  "delegations.revoke": { ids: [999] },
  "delegations.revokeAll": { device: "none" },
  "delegations.holders": { id: 999 },
  "reservations.list": {},
  "reservations.watch": {},
  "reservations.create": { buffer: "none", from: 1, to: 2 },
  "reservations.cancel": { id: 999 },
  "audit.list": {},
  "audit.watch": {},
  "audit.who": { buffer: "sim0/ch0", at: 0 },
  "audit.export": {},
  "audit.head": {},
  "audit.verify": {},
  "sessions.me": {},
  "sessions.createLink": {},
  "sessions.list": {},
  "sessions.end": { id: "none" },
  "tokens.create": { name: "one" },
  "tokens.list": {},
  "tokens.remove": { id: "none" },
  "accounts.list": {},
  "accounts.create": { name: "newcomer", uids: [0] },
  "accounts.update": { name: "none" },
  "accounts.remove": { name: "none" },
  "accounts.setPassword": { password: null },
  "policy.list": {},
  "policy.define": { name: "none", who: ["nobody"] },
  "policy.remove": { name: "none" },
  "policy.explain": { buffer: "none" },
  "config.reload": {},
};

const METHODS = Object.keys(INPUTS) as Method[];
const ACCOUNTS = {
  viewer: "viewer",
  member: "member",
  operator: "operator",
  admin: "admin",
  alice: "member",
  bob: "member",
} as const;

let agent: AgentProcess;
let door: Door;
let pages: Record<string, SignedIn>;

beforeAll(async () => {
  agent = await startAgent();
  door = new Door(agent);
  const root = await agent.connect();
  pages = {};
  for (const [name, role] of Object.entries(ACCOUNTS)) {
    await root.call("accounts.create", { name, role });
    const { url } = await root.call("sessions.createLink", { account: name });
    pages[name] = await door.signInBy(url.split("#login=")[1]!);
  }
});

afterAll(() => agent?.stop());

function ask(account: string, method: Method, input: object): Promise<Answer> {
  return door.call(method, input, door.page(pages[account]!));
}

/** Why it was refused; null where it was not, which may also be a subscription that goes on. */
async function refusalOf(
  account: string,
  method: Method,
  input: object,
): Promise<{ code: string; message: string } | null> {
  if (PROCEDURES[method] !== "subscription") return errorOf((await ask(account, method, input)).json);
  const socket = await door.pageSocket(pages[account]!);
  const first = await socket.ask("subscription", method, input);
  const answer = first.error || method.startsWith("audit.") ? first : await socket.next();
  socket.close();
  return errorOf(answer);
}

// biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
function errorOf({ error }: any): { code: string; message: string } | null {
  return error ? { code: error.data.code, message: error.message } : null;
}

describe.each(METHODS)("%s", (method) => {
  const { role: least } = PERMISSIONS[method];

  it.each(ROLES)("by a role of %s", async (role) => {
    const refusal = await refusalOf(role, method, SAMPLES[method]);

    const isTooLittle =
      refusal?.code === "NOT_ALLOWED" && refusal.message.startsWith(`${method} takes the role ${least}`);
    expect({ isTooLittle, refusal }).toEqual({ isTooLittle: !atLeast(role, least), refusal });
  });
});

/** What each does to something of alice's that was made for it, by one who is not alice. (A claim takes the socket: other-accounts.test.ts.) */
const ON_OTHERS: Partial<Record<Method, () => Promise<object>>> = {
  "buffers.read": async () => ({ name: "sim0/ddr" }),
  "delegations.request": async () => ({ buffer: "sim0/regs", account: "alice", wait: true }),
  "delegations.extend": async () => ({ id: await offered(), byMs: 1 }),
  "delegations.sync": async () => ({ id: await offered(), direction: "to-device" }),
  "delegations.handOver": async () => ({ id: await offered(), account: "bob" }),
  "reservations.create": async () => ({ buffer: "sim0/ddr", account: "alice", ...(await anHour()) }),
  "reservations.cancel": async () => ({ id: await reserved() }),
  "delegations.release": async () => ({ id: await offered() }),
  "delegations.revoke": async () => ({ ids: [await offered()] }),
  "delegations.holders": async () => ({ id: await offered() }),
  "sessions.createLink": async () => ({ account: "alice" }),
  "sessions.end": async () => ({ id: (await signInAsAlice()).id }),
  "tokens.create": async () => ({ account: "alice", name: "one" }),
  "accounts.setPassword": async () => ({ account: "member", password: null }), // it ends their sessions
  "policy.explain": async () => ({ buffer: "sim0/ch0", account: "alice" }),
  "tokens.remove": async () => ({ id: (await ask("alice", "tokens.create", { name: "one" })).json.result.data.id }),
};

/** One that is free. */
async function anHour(): Promise<{ from: number; to: number }> {
  const { json } = await ask("admin", "reservations.list", { buffer: "sim0/ddr" });
  const ends = json.result.data.items.map(({ to }: { to: number }) => to);
  const from = Math.max(Date.now() + 3_600_000, ...ends);
  return { from, to: from + 3_600_000 };
}

async function reserved(): Promise<number> {
  const { json } = await ask("alice", "reservations.create", { buffer: "sim0/ddr", ...(await anHour()) });
  return json.result.data.id;
}

async function offered(): Promise<number> {
  const { json } = await ask("alice", "delegations.request", { buffer: "sim0/ch0", access: "read-only" });
  return json.result.data.id;
}

async function signInAsAlice(): Promise<SignedIn> {
  const { json } = await ask("admin", "sessions.createLink", { account: "alice" });
  return door.signInBy(json.result.data.url.split("#login=")[1]);
}

const IS_NOT_YOURS = ["NOT_YOURS", "NOT_ALLOWED", "NOT_FOUND"];

describe("what another account has", () => {
  it("is tried with every procedure that may tell whose a thing is", () => {
    const withOthers = METHODS.filter((method) => PERMISSIONS[method].others !== undefined);
    const listsOnly = ["sessions.list", "tokens.list"];

    expect(Object.keys(ON_OTHERS)).toEqual(
      expect.arrayContaining(withOthers.filter((one) => !listsOnly.includes(one))),
    );
  });

  describe.each(Object.keys(ON_OTHERS) as Method[])("%s", (method) => {
    it.each(["bob", "operator", "admin"] as const)("by %s", async (account) => {
      const refusal = await refusalOf(account, method, await ON_OTHERS[method]!());

      const { others } = PERMISSIONS[method];
      const isMine = others !== undefined && atLeast(ACCOUNTS[account], others);
      expect({ isRefused: IS_NOT_YOURS.includes(refusal?.code ?? ""), refusal }).toEqual({
        isRefused: !isMine,
        refusal,
      });
    });
  });

  it.each([
    ["bob", false],
    ["admin", true],
  ])("is in the lists of sessions and tokens for %s: %s", async (account, isShown) => {
    await ask("alice", "tokens.create", { name: "listed" });
    const sessions = (await ask(account, "sessions.list", {})).json.result.data;
    const tokens = (await ask(account, "tokens.list", {})).json.result.data;
    const ofAlice = (all: { account: string }[]) => all.some(({ account }) => account === "alice");

    expect([ofAlice(sessions), ofAlice(tokens)]).toEqual([isShown, isShown]);
  });
});

describe("a token is good for its scope and no more, whatever its account may do", () => {
  it.each([
    ["read", "delegations.request", "member"],
    ["lend", "delegations.revokeAll", "operator"],
    ["operate", "accounts.create", "admin"],
  ] as const)("%s: not for %s", async (scope, method, least) => {
    const made = await ask("admin", "tokens.create", { name: scope, scope });
    const headers = { authorization: `Bearer ${made.json.result.data.token}` };

    const refused = await door.call(method, SAMPLES[method], headers);
    const me = await door.call("sessions.me", {}, headers);

    expect(refused.json.error.message).toContain(`${method} takes the role ${least}; admin is`);
    expect(refused.json.error.message).toContain("through this token");
    expect(me.json.result.data).toMatchObject({
      account: "admin",
      role: { read: "viewer", lend: "member", operate: "operator" }[scope],
    });
  });

  it("and not for more than its account may", async () => {
    const made = await ask("viewer", "tokens.create", { name: "more", scope: "operate" });
    const headers = { authorization: `Bearer ${made.json.result.data.token}` };

    expect((await door.call("sessions.me", {}, headers)).json.result.data.role).toBe("viewer");
  });
});
