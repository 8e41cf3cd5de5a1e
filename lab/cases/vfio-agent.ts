// The built agent with real devices, as an ordinary user: by whichever rung this kernel has.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import { addressOf, EDU, IVSHMEM, RNG } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";

const ivshmem = addressOf(IVSHMEM);
const BAR = `${ivshmem}/bar2`;
const PAGE = 4096;
/** As on a kernel that has no other way, also where this one has. */
const WHOLE_DEVICE = ["--rungs", "device-close"];

async function scopeOf(client: Connection): Promise<string> {
  const devices = await client.call("devices.list", {});
  return devices.find(({ name }) => name === ivshmem)!.exporters[0]!.scope;
}

/** The delegation once it has ended. */
async function endOf(client: Connection, id: number): Promise<Delegation> {
  for await (const delegation of client.subscribe("delegations.follow", { id }))
    if (delegation.state === "revoked") return delegation;
  throw new Error(`delegation ${id} is followed no more and has not ended`);
}

/** Two buffers in BAR 2, which make way for the one that it comes with. */
async function defineTwo(operator: Connection): Promise<[string, string]> {
  const names: [string, string] = [`${ivshmem}/left`, `${ivshmem}/right`];
  for (const [at, name] of names.entries())
    await operator.call("buffers.define", {
      name,
      device: ivshmem,
      region: 2,
      ranges: [{ offset: (0x400 + at) * PAGE, length: PAGE }],
    });
  return names;
}

test("the agent shows each device with its place, its BARs and each way to take it back", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const client = await agent.connect();

  const devices = await client.call("devices.list", {});

  assert.deepEqual(devices.map(({ name }) => name).sort(), [EDU, IVSHMEM, RNG].map(addressOf).sort());
  for (const { name, kind, pci, exporters } of devices) {
    assert.deepEqual([kind, pci?.bdf, pci?.driver], ["vfio", name, "vfio-pci"]);
    assert.deepEqual(
      exporters[0]!.rungs.map(({ method }) => method),
      ["dma-buf-revoke", "vfio-feature-revoke", "device-close"],
    );
  }
  const { regions, state } = devices.find(({ name }) => name === ivshmem)!;
  assert.equal(state, "ready");
  assert.equal(regions.find(({ index }) => index === 2)?.size, 16 << 20);
});

test("a BAR is lent and taken back for good, and the kernel says so", async () => {
  await using agent = await GuestAgent.start();
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BAR });
  const isMappable = (await scopeOf(client)) === "buffer";
  const memory = isMappable ? lease.map() : undefined;
  memory?.store(0x300000, 32, 0x5eed);

  const [ended] = await operator.call("delegations.revoke", { ids: [lease.delegation.id] });

  assert.deepEqual([ended?.state, ended?.proof?.answer], ["revoked", "0"]);
  assert.equal(ended?.proof?.method, isMappable ? "dma-buf-revoke" : "device-close");
  if (memory) assert.throws(() => memory.load(0x300000, 32), { code: "EFAULT" });
  else assert.throws(() => lease.map(), { code: /E\w+/ });
});

test("nothing is lent of the MSI-X table, of I/O ports, or of less than a page", async () => {
  await using agent = await GuestAgent.start();
  const operator = await agent.connect();
  const define = (device: string, region: number, offset: number) =>
    operator.call("buffers.define", { name: "x", device, region, ranges: [{ offset, length: PAGE }] });
  const rng = (await operator.call("devices.list", {})).find(({ name }) => name === addressOf(RNG))!;

  for (const { index, unlendable } of rng.regions.filter((region) => region.unlendable))
    await assert.rejects(
      define(rng.name, index, 0),
      { code: "BAD_INPUT", message: /cannot be lent|MSI-X/ },
      unlendable!,
    );
  await assert.rejects(define(ivshmem, 2, 16 << 20), { code: "BAD_INPUT", message: /past the end/ });
  await assert.rejects(define(ivshmem, 2, 1), { code: "BAD_INPUT", message: /not aligned/ });
});

test("where only the whole device can be taken back, who else is hit is said first, and then offered a fresh export", async () => {
  await using agent = await GuestAgent.start(WHOLE_DEVICE);
  const [first, second, operator] = [await agent.connect(), await agent.connect(), await agent.connect()];
  const [left, right] = await defineTwo(operator);
  const one = await first.borrow({ buffer: left });
  const other = await second.borrow({ buffer: right });
  const ids = [one.delegation.id];

  await assert.rejects(operator.call("delegations.revoke", { ids }), {
    code: "BLAST_RADIUS",
    message: new RegExp(`\\b${other.delegation.id} \\(uid:1000\\)`),
  });
  assert.equal((await operator.call("delegations.get", { id: one.delegation.id })).state, "active");
  const [ended] = await operator.call("delegations.revoke", { ids, deviceWide: true });
  const collateral = await endOf(operator, other.delegation.id);

  assert.deepEqual([ended?.state, ended?.proof?.method, ended?.proof?.scope], ["revoked", "device-close", "device"]);
  assert.deepEqual([collateral.reason, collateral.proof?.method], ["collateral", "device-close"]);
  const { items } = await second.call("delegations.list", { buffer: right });
  assert.deepEqual(
    items.map(({ state, renews }) => [state, renews]),
    [["offered", other.delegation.id]],
  );
  for await (const { devices } of second.subscribe("status.watch", {}))
    if (devices.find(({ name }) => name === ivshmem)?.state === "ready") break;
  const again = await second.claim(items[0]!.id);
  assert.equal(again.delegation.state, "active");
});

test("where only the whole device can be taken back, who gives back waits for the others, and says for whom", async () => {
  await using agent = await GuestAgent.start(WHOLE_DEVICE);
  const [first, second, operator] = [await agent.connect(), await agent.connect(), await agent.connect()];
  const [left, right] = await defineTwo(operator);
  const { id } = (await first.borrow({ buffer: left })).delegation;
  const other = await second.borrow({ buffer: right });

  first.close();
  for await (const { state, revocation } of operator.subscribe("delegations.follow", { id }))
    if (state === "revoking" && revocation?.waitingFor?.includes(`${other.delegation.id} (uid:1000)`)) break;
  assert.equal((await operator.call("delegations.get", { id: other.delegation.id })).state, "active");
  second.close();

  const ended = [await endOf(operator, id), await endOf(operator, other.delegation.id)];
  assert.deepEqual(
    ended.map(({ reason, proof }) => [reason, proof?.method]),
    [
      ["disconnected", "device-close"],
      ["disconnected", "device-close"],
    ],
  );
});

test("what an agent that was killed had lent is proven gone by the next one", async () => {
  await using agent = await GuestAgent.start();
  const client = await agent.connect();
  const { id } = (await client.borrow({ buffer: BAR })).delegation;

  await agent.kill();
  await using next = await agent.restart();
  const ended = await endOf(await next.connect(), id);

  assert.deepEqual([ended.reason, ended.proof?.answer], ["agent-restart", "0"]);
});

test("who holds a BAR is found, and the dma-buf with its exporter, its name and whose it is", async () => {
  await using agent = await GuestAgent.start();
  const client = await agent.connect();
  const lease = await client.borrow({ buffer: BAR });
  const { id } = lease.delegation;

  const { exported, holders } = await client.call("delegations.holders", { id });
  const { items } = await client.call("host.dmabufs", {});

  assert.equal(exported, true);
  assert.deepEqual(holders.find(({ pid }) => pid === process.pid)?.fds, [lease.fd]);
  assert.deepEqual(new Set(holders.map(({ role }) => role)), new Set([null, "agent", "warden"]));
  const dmaBuf = items.find(({ delegation }) => delegation === id);
  assert.deepEqual([dmaBuf?.exporter, dmaBuf?.size], ["vfio_pci_core", 16 << 20]);
  assert.match(dmaBuf?.name ?? "", /^lendbuf:\d+$/);
  lease.close();
  const later = await client.call("delegations.holders", { id });
  assert.equal(
    later.holders.find(({ pid }) => pid === process.pid),
    undefined,
  );
});

test("a second agent is told that the device is somebody else's", async () => {
  await using _first = await GuestAgent.start();
  await using second = await GuestAgent.start();
  const operator = await second.connect();

  const device = (await operator.call("devices.list", {})).find(({ name }) => name === ivshmem)!;

  assert.equal(device.state, "lost");
  assert.match(device.problem!, /somebody has it open already|busy|EBUSY/i);
});
