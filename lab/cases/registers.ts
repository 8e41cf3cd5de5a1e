// Single loads and stores of real devices' registers and memory, through the built agent as an ordinary user.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, EDU, IVSHMEM, RNG } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";
import { lendbuf } from "../guest/lendbuf.ts";

const EDU_BAR = `${addressOf(EDU)}/bar0`;
const MEMORY = `${addressOf(IVSHMEM)}/bar2`;
/** Of edu: reads as the complement of what was written last. */
const LIVENESS = 4;

test("edu's registers are read and written, and the device answers", async () => {
  await using agent = await GuestAgent.start();
  const operator = await agent.connect();
  const run = (...args: string[]) => lendbuf([...args, "--socket", agent.socket]);

  const id = await run("peek", EDU_BAR, "0");
  const poked = await run("poke", EDU_BAR, "4", "0x12345678");
  const liveness = await operator.call("buffers.peek", { name: EDU_BAR, offset: LIVENESS });

  assert.deepEqual([id.stdout, id.stderr], ["0x010000ed\n", ""]);
  assert.match(poked.stdout, /^Wrote 0x12345678 \(32 bits\) at 0x4 of /);
  assert.deepEqual(liveness.values, ["0xedcba987"]);
});

test("an access is of exactly its width: edu takes 32 bits at its first registers, and nothing else", async () => {
  await using agent = await GuestAgent.start();
  const operator = await agent.connect();
  await operator.call("buffers.poke", { name: EDU_BAR, offset: LIVENESS, value: "0x1" });

  await operator.call("buffers.poke", { name: EDU_BAR, offset: LIVENESS, width: 8, value: "0xff" });
  await operator.call("buffers.poke", { name: EDU_BAR, offset: 0, width: 64, value: "0x2222222211111111" });
  const narrow = await operator.call("buffers.peek", { name: EDU_BAR, offset: 0, width: 8 });
  const wide = await operator.call("buffers.peek", { name: EDU_BAR, offset: 0, width: 64 });
  const { values } = await operator.call("buffers.peek", { name: EDU_BAR, offset: LIVENESS });

  assert.deepEqual(values, ["0xfffffffe"]);
  assert.notEqual(narrow.values[0], "0xed"); // as part of 32 bits would be
  assert.deepEqual(wide.values, ["0xffffffffffffffff"]); // two of 32 bits would find the registers
});

test("memory is read and written, also while somebody has it, who finds what was written", async () => {
  await using agent = await GuestAgent.start();
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: MEMORY });
  const devices = await client.call("devices.list", {});
  const isMappable = devices.find(({ name }) => name === addressOf(IVSHMEM))!.exporters[0]!.mappable;
  const memory = isMappable ? lease.map() : undefined;
  const at = { name: MEMORY, offset: 0x400008, width: 64 } as const;

  const poked = await operator.call("buffers.poke", { ...at, value: "0xfedcba9876543210" });
  if (memory) {
    assert.deepEqual([memory.load(at.offset, 32), memory.load(at.offset + 4, 32)], [0x76543210, 0xfedcba98]);
    memory.store(at.offset, 32, 0x1234);
  }
  const { values } = await operator.call("buffers.peek", at);
  await operator.call("delegations.revoke", { ids: [lease.delegation.id], deviceWide: true });
  for await (const { devices } of operator.subscribe("status.watch", {}))
    if (devices.every(({ state }) => state === "ready")) break;
  const later = await operator.call("buffers.peek", at);

  assert.deepEqual(poked.lentTo, [{ id: lease.delegation.id, account: "uid:1000" }]);
  assert.deepEqual(values, [memory ? "0xfedcba9800001234" : "0xfedcba9876543210"]);
  assert.deepEqual(later.values, values);
});

test("there is no buffer by which the MSI-X table could be touched", async () => {
  await using agent = await GuestAgent.start();
  const operator = await agent.connect();
  const { items } = await operator.call("buffers.list", {});
  const devices = await operator.call("devices.list", {});

  for (const { name, regions } of devices)
    for (const { index, withheld } of regions)
      for (const buffer of items.filter(({ device, region }) => device === name && region === index))
        for (const range of buffer.ranges)
          assert.ok(
            !withheld ||
              range.offset + range.length <= withheld.offset ||
              range.offset >= withheld.offset + withheld.length,
            buffer.name,
          );
  assert.ok(devices.find(({ name }) => name === addressOf(RNG))!.regions.some(({ withheld }) => withheld));
});
