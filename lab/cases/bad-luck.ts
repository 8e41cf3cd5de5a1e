// What a hostile or unlucky client does to a real device, seen through the built agent: who is cut off, who goes on, and what is said.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import { addressOf, EDU, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { Holder } from "../../packages/native/test/warden-holder.ts";
import { GuestAgent } from "../guest/agent.ts";

const ivshmem = addressOf(IVSHMEM);
const edu = `${addressOf(EDU)}/bar0`;
const skip = existsSync("/sys/kernel/debug/sync/sw_sync")
  ? false
  : "this kernel has no sw_sync, so no fence that never signals";

async function define(operator: Connection, ...names: string[]): Promise<void> {
  for (const [at, name] of names.entries())
    await operator.call("buffers.define", {
      name,
      device: ivshmem,
      region: 2,
      ranges: [{ offset: 0x730000 + at * 4096, length: 4096 }],
    });
}

async function once(client: Connection, id: number, wanted: (delegation: Delegation) => boolean): Promise<Delegation> {
  for await (const delegation of client.subscribe("delegations.follow", { id }))
    if (wanted(delegation)) return delegation;
  throw new Error(`delegation ${id} has ended`);
}

/** Until its stores fail, which must be soon. */
async function isCut(holder: Holder): Promise<void> {
  for (const since = Date.now(); (await holder.do("store 0 2")) !== "EFAULT"; )
    assert.ok(Date.now() - since < 1000, "it goes on writing");
}

test("a client that hangs a fence is cut at once and shown as what its end waits for; its neighbours go on", {
  skip,
}, async () => {
  await using agent = await GuestAgent.start();
  const [client, neighbour, operator] = [await agent.connect(), await agent.connect(), await agent.connect()];
  await define(operator, "lab/stuck", "lab/beside");
  const stuck = await client.borrow({ buffer: "lab/stuck" });
  const { id } = stuck.delegation;
  await using evil = new Holder(stuck.fd);
  assert.deepEqual(Object.values(await evil.doAll("map-writable", "store 0 1", "hang")), ["ok", "ok", "ok"]);
  const beside = await neighbour.borrow({ buffer: "lab/beside" });
  const other = await neighbour.borrow({ buffer: edu });
  const memory = beside.map();

  const asked = operator.call("delegations.revoke", { ids: [id] });
  const waiting = await once(operator, id, ({ revocation }) => revocation?.waitingFor != null);
  await isCut(evil);
  memory.store(0, 32, 5);
  const ends = [
    await beside.release(),
    await other.release(),
    await (await neighbour.borrow({ buffer: "sim0/ch0" })).release(),
  ];

  assert.equal(waiting.state, "revoking");
  assert.match(waiting.revocation!.waitingFor!, /importer|not answered/);
  assert.deepEqual(
    ends.map(({ state }) => state),
    ["revoked", "revoked", "revoked"],
  );
  await evil.do("unhang");
  const ended = await once(operator, id, ({ state }) => state === "revoked");
  assert.equal(ended.proof?.answer, "0");
  await asked;
});

test("SIGKILL of the agent while a device's revoke hangs leaves every other device dead within a second", {
  skip,
}, async () => {
  await using agent = await GuestAgent.start();
  const [client, operator] = [await agent.connect(), await agent.connect()];
  await define(operator, "lab/stuck", "lab/beside");
  const lent = [];
  for (const buffer of ["lab/stuck", "lab/beside", edu, "sim0/ddr"]) lent.push(await client.borrow({ buffer }));
  await using evil = new Holder(lent[0]!.fd);
  await using beside = new Holder(lent[1]!.fd);
  await using other = new Holder(lent[2]!.fd);
  await using simulated = new Holder(lent[3]!.fd);
  const all = [evil, beside, other, simulated];
  for (const holder of all) assert.equal(await holder.do("map-writable"), "ok");
  assert.equal(await evil.do("hang"), "ok");
  operator.call("delegations.revoke", { ids: [lent[0]!.delegation.id] }).catch(() => {}); // its agent dies
  await once(operator, lent[0]!.delegation.id, ({ state }) => state === "revoking");

  await agent.kill();

  for (const holder of [other, simulated, beside, evil]) await isCut(holder);
  await evil.do("unhang");
});

test("who was given the fd by a client that has exited loses the memory too", async () => {
  await using agent = await GuestAgent.start();
  const [client, operator] = [await agent.connect(), await agent.connect()];
  await define(operator, "lab/passed");
  const lease = await client.borrow({ buffer: "lab/passed" });
  await using heir = new Holder(lease.fd);
  const isMappable = (await heir.do("map-writable")) === "ok";
  if (isMappable) assert.equal(await heir.do("store 0 1"), "ok");

  client.close();
  const ended = await once(operator, lease.delegation.id, ({ state }) => state === "revoked");

  assert.equal(ended.reason, "disconnected");
  if (isMappable) assert.equal(await heir.do("store 0 1"), "EFAULT");
});
