// Accounts as the doors and the store know them.
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Door } from "./door-client.ts";
import { AgentProcess, startAgent } from "./harness.ts";
import { Peer } from "./peer.ts";

const isRoot = process.getuid!() === 0;
/** Of Debian's base system: a uid and a group of the same number. */
const GAMES = { name: "games", uid: 5, gid: 60 };

describe("accounts", () => {
  let agent: AgentProcess;
  let root: Connection;

  beforeAll(async () => {
    agent = await startAgent();
    root = await agent.connect();
  });

  afterAll(() => agent?.stop());

  it("are made, changed, listed page by page, and removed", async () => {
    for (const name of ["carol", "dave", "erin"]) await root.call("accounts.create", { name });
    const changed = await root.call("accounts.update", { name: "dave", role: "operator", uids: [7001] });

    const first = await root.call("accounts.list", { limit: 2 });
    const rest = await root.call("accounts.list", { limit: 2, cursor: first.next! });
    for (const name of ["carol", "dave", "erin"]) await root.call("accounts.remove", { name });

    expect(changed).toMatchObject({ name: "dave", role: "operator", kind: "person", uids: [7001], disabled: false });
    expect([first.items, rest.items].map((items) => items.map(({ name }) => name))).toEqual([
      ["carol", "dave"],
      ["erin"],
    ]);
    expect({ total: first.total, next: rest.next }).toEqual({ total: 3, next: null });
    expect((await root.call("accounts.list")).items).toEqual([]);
  });

  it.each([
    ["a name that is taken", "accounts.create", { name: "taken" }, "ALREADY_EXISTS", /exists already/],
    [
      "a uid that has a name",
      "accounts.create",
      { name: "other", uids: [7002] },
      "ALREADY_EXISTS",
      /uid 7002 is account "taken" already/,
    ],
    ["root's uid", "accounts.create", { name: "other", uids: [0] }, "BAD_INPUT", /always an admin/],
    [
      "a group that is not there",
      "accounts.create",
      { name: "other", groups: ["nosuch"] },
      "BAD_INPUT",
      /no group "nosuch"/,
    ],
    ["a name with capitals", "accounts.create", { name: "Other" }, "BAD_INPUT", /small letter/],
    ["a name like a uid", "accounts.create", { name: "uid:7" }, "BAD_INPUT", /small letter/],
    ["one that is not there", "accounts.update", { name: "nosuch", role: "viewer" }, "NOT_FOUND", /account list/],
    ["one that only a uid has", "accounts.remove", { name: "uid:7" }, "NOT_FOUND", /account list/],
  ] as const)("are not made of %s", async (_what, method, input, code, words) => {
    await root.call("accounts.create", { name: "taken", uids: [7002] });

    const refused = root.call(method, input as never).then(
      () => null,
      (error) => error,
    );

    expect(await refused).toMatchObject({ code, message: expect.stringMatching(words) });
    await root.call("accounts.remove", { name: "taken" });
  });

  it("take no uid whose delegations would be nobody's", async () => {
    const { id } = await root.call("delegations.request", { buffer: "sim0/ch0", account: "uid:7003" });

    const refused = root.call("accounts.create", { name: "late", uids: [7003] }).then(
      () => null,
      (error) => error,
    );

    expect(await refused).toMatchObject({
      code: "IN_USE",
      message: expect.stringMatching(/uid:7003 has 1 live delegations/),
    });
    await root.call("delegations.release", { id });
    await root.call("accounts.create", { name: "late", uids: [7003] });
    expect((await root.call("delegations.request", { buffer: "sim0/ch0", account: "uid:7003" })).account).toBe("late");
    await root.call("accounts.remove", { name: "late" });
  });

  it("that are unknown are lent nothing", async () => {
    const refused = root.call("delegations.request", { buffer: "sim0/ch0", account: "nosuch" }).then(
      () => null,
      (error) => error,
    );

    expect(await refused).toMatchObject({ code: "NOT_FOUND", message: expect.stringMatching(/no account "nosuch"/) });
  });

  it("that lose a role lose what they watch by it", async () => {
    const door = new Door(agent);
    await root.call("accounts.create", { name: "watcher", role: "operator" });
    const { url } = await root.call("sessions.createLink", { account: "watcher" });
    const socket = await door.pageSocket(await door.signInBy(url.split("#login=")[1]!));
    await socket.ask("subscription", "audit.watch", {});

    await root.call("accounts.update", { name: "watcher", role: "member" });
    const entryOrEnd = await socket.next();

    expect(entryOrEnd.error.data.code).toBe("NOT_ALLOWED");
    await root.call("accounts.remove", { name: "watcher" });
  });

  it("that are disabled have no session, no token and no lease from then on, also after a restart", async () => {
    const first = await startAgent();
    const door = new Door(first);
    const admin = await first.connect();
    await admin.call("accounts.create", { name: "frank" });
    const { url } = await admin.call("sessions.createLink", { account: "frank" });
    const page = await door.signInBy(url.split("#login=")[1]!);
    const { token } = await admin.call("tokens.create", { account: "frank", name: "script" });
    const { id } = await admin.call("delegations.request", { buffer: "sim0/ch0", account: "frank" });
    const statusOf = async (at: Door) => [
      (await at.call("status.get", {}, at.page(page))).status,
      (await at.call("status.get", {}, { authorization: `Bearer ${token}` })).status,
    ];
    const before = await statusOf(door);

    await admin.call("accounts.update", { name: "frank", disabled: true });
    const after = await statusOf(door);
    const { state, reason } = await admin.call("delegations.get", { id });
    await first.crash();
    const second = await new AgentProcess({ state: first.state, socket: first.socket }).ready();

    expect([before, after]).toEqual([
      [200, 200],
      [401, 401],
    ]);
    expect([state, reason]).toEqual(["cancelled", "operator"]);
    expect(await statusOf(new Door(second))).toEqual([401, 401]);
    const again = await second.connect();
    expect((await again.call("accounts.list")).items).toMatchObject([{ name: "frank", disabled: true }]);
    await second.stop();
    await first.stop();
  });
});

if (!isRoot) {
  it("processes of other users come in as the accounts that name them", ({ skip }) =>
    skip("only root can be somebody else: run the tests as root"));
}

describe.runIf(isRoot)("a process of another user", () => {
  let agent: AgentProcess;
  let root: Connection;
  let peer: Peer;

  async function start(args: string[] = []) {
    agent = await startAgent({ args });
    for (const [path, mode] of [
      [dirname(agent.socket), 0o755],
      [agent.socket, 0o666],
    ] as const)
      chmodSync(path, mode);
    root = await agent.connect();
  }

  beforeEach(() => {
    peer = new Peer({ uid: GAMES.uid, gid: GAMES.gid });
  });

  afterEach(async () => {
    await peer.stop();
    await agent.stop();
  });

  it("is a member by its uid where nobody says otherwise", async () => {
    await start();
    await peer.connect(agent.socket);

    expect((await peer.ask("sessions.me")).result).toEqual({
      account: "uid:5",
      name: GAMES.name,
      role: "member",
      hasPassword: false,
    });
  });

  it.each([
    ["its uid", { uids: [GAMES.uid] }],
    ["one of its groups", { groups: [GAMES.name] }],
  ])("is the account that names %s", async (_what, mapping) => {
    await start();
    await root.call("accounts.create", { name: "arcade", role: "viewer", kind: "service", ...mapping });
    await peer.connect(agent.socket);

    expect((await peer.ask("sessions.me")).result).toMatchObject({ account: "arcade", role: "viewer" });
    expect((await peer.ask("delegations.borrow", { buffer: "sim0/ch0" })).error.data.code).toBe("NOT_ALLOWED");
  });

  it("has the role of its group", async () => {
    await start(["--group-role", `${GAMES.name}=operator`, "--others", "none"]);
    await peer.connect(agent.socket);

    expect((await peer.ask("sessions.me")).result).toMatchObject({ account: "uid:5", role: "operator" });
  });

  it("is told that it has no way in where only named accounts have one", async () => {
    await start(["--others", "none"]);
    await peer.connect(agent.socket);

    const { text } = await peer.receive();

    expect(JSON.parse(text!)).toMatchObject({
      id: null,
      error: {
        data: { code: "NOT_ALLOWED" },
        message: expect.stringMatching(/uid:5 has no way in here.*Ask an admin/),
      },
    });
    expect(await peer.receive()).toEqual({ end: true });
  });

  it("loses its memory and its connection when its account is disabled", async () => {
    await start();
    await root.call("accounts.create", { name: "arcade", uids: [GAMES.uid] });
    await peer.connect(agent.socket);
    const { id } = (await peer.ask("delegations.borrow", { buffer: "sim0/ch0" })).result.delegation;

    await root.call("accounts.update", { name: "arcade", disabled: true });

    expect(await root.call("delegations.get", { id })).toMatchObject({ state: "revoked", reason: "operator" });
    expect(await peer.receive()).toEqual({ end: true });
    await peer.connect(agent.socket);
    expect(JSON.parse((await peer.receive()).text!).error.message).toMatch(/its account is disabled/);
  });

  it("sees what others have, unless the agent keeps it to them", async () => {
    for (const [args, seen] of [
      [[], ["uid:0"]],
      [["--visibility", "own"], []],
    ] as const) {
      await start([...args]);
      await root.borrow({ buffer: "sim0/ch0" });
      await peer.connect(agent.socket);

      const { items } = (await peer.ask("delegations.list")).result;

      expect(items.map(({ account }: { account: string }) => account)).toEqual(seen);
      await peer.close();
      if (seen.length > 0) await agent.stop();
    }
  });
});
