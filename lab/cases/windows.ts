// Windows onto real devices, and devices whose memory is taken away for now: on every kernel, by the built agent and command line.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import { addressOf, EDU, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";
import { lendbuf } from "../guest/lendbuf.ts";

const ivshmem = addressOf(IVSHMEM);
const BAR = `${ivshmem}/bar2`;
const EFAULT = { code: "EFAULT" };

async function once(client: Connection, id: number, wanted: (delegation: Delegation) => boolean): Promise<Delegation> {
  for await (const delegation of client.subscribe("delegations.follow", { id }))
    if (wanted(delegation)) return delegation;
  throw new Error(`delegation ${id} has ended`);
}

test("a window is copied to the BAR and from it, and is taken back by itself", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BAR, exporter: "staged" });
  const memory = lease.map();
  memory.store(0x6a0000, 32, 0x77696e64);
  const before = await operator.call("buffers.peek", { name: BAR, offset: 0x6a0000 });

  await lease.sync("to-device", { offset: 0x6a0000, length: 4096 });
  const after = await operator.call("buffers.peek", { name: BAR, offset: 0x6a0000 });
  await operator.call("buffers.poke", { name: BAR, offset: 0x6a0004, value: "0x5eed" });
  await lease.sync("from-device", { offset: 0x6a0000, length: 8, width: 64 });
  const copied = memory.load(0x6a0004, 32);
  const [ended] = await operator.call("delegations.revoke", { ids: [lease.delegation.id] });

  assert.equal(lease.delegation.exporter, "staged");
  assert.deepEqual([before.values, after.values, copied], [["0x00000000"], ["0x77696e64"], 0x5eed]);
  assert.deepEqual([ended?.state, ended?.proof?.method, ended?.proof?.scope], ["revoked", "ftruncate", "buffer"]);
  assert.throws(() => memory.load(0x6a0000, 32), EFAULT);
  await assert.rejects(lease.sync("to-device"), { code: "ENDED" });
});

test("a program on a kernel without mmap of exports works on a window that is copied before and after it", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const at = ["--socket", agent.socket];
  const name = `${addressOf(EDU)}/invert`;
  const operator = await agent.connect();
  await operator.call("buffers.define", {
    name,
    device: addressOf(EDU),
    region: 0,
    ranges: [{ offset: 0, length: 4096 }],
  });

  const program = `lendbuf() { node apps/cli/dist/main.js "$@"; }
    lendbuf sync $LENDBUF_DELEGATION from-device --length 4
    od -An -tx4 -N4 /proc/self/fd/3
    printf '\\0\\0\\0\\0' | dd of=/proc/self/fd/3 bs=1 seek=4 conv=notrunc 2>/dev/null
    lendbuf sync $LENDBUF_DELEGATION to-device --offset 4 --length 4
    lendbuf sync $LENDBUF_DELEGATION from-device --offset 4 --length 4
    od -An -tx4 -j4 -N4 /proc/self/fd/3`;
  const { code, stdout, stderr } = await lendbuf([
    "exec",
    ...at,
    name,
    "--exporter",
    "staged",
    "--",
    "sh",
    "-c",
    program,
  ]);

  assert.equal(code, 0, stderr);
  assert.match(stdout, /010000ed\s[\s\S]*ffffffff/); // its id; the complement of what was stored
});

test("exec pulls before its command and pushes after it", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const operator = await agent.connect();
  await operator.call("buffers.define", {
    name: "lab/word",
    device: ivshmem,
    region: 2,
    ranges: [{ offset: 0x700000, length: 4096 }],
  });
  await operator.call("buffers.poke", { name: "lab/word", offset: 0, value: "0x41424344" });

  const program = "head -c 4 <&3; printf wxyz | dd of=/proc/self/fd/3 conv=notrunc 2>/dev/null";
  const words = ["exec", "--socket", agent.socket, "lab/word", "--exporter", "staged", "--pull", "--push"];
  const { code, stdout, stderr } = await lendbuf([...words, "--", "sh", "-c", program]);
  const { values } = await operator.call("buffers.peek", { name: "lab/word", offset: 0 });

  assert.deepEqual([code, stdout], [0, "DCBA"], stderr);
  assert.deepEqual(values, ["0x7a797877"]);
});

test("a suspended device's memory is out of reach and comes back; what is revoked meanwhile does not", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  for (const [at, name] of ["lab/kept", "lab/gone"].entries())
    await operator.call("buffers.define", {
      name,
      device: ivshmem,
      region: 2,
      ranges: [{ offset: 0x710000 + at * 4096, length: 4096 }],
    });
  const devices = await operator.call("devices.list", {});
  const { mappable, scope } = devices.find(({ name }) => name === ivshmem)!.exporters[0]!;
  const kept = await client.borrow({ buffer: "lab/kept" });
  const gone = await client.borrow({ buffer: "lab/gone" });
  const [one, other] = mappable ? [kept.map(), gone.map()] : [];
  one?.store(0, 32, 7);
  const { id } = kept.delegation;

  const device = await operator.call("devices.suspend", { name: ivshmem });
  const seen = await once(client, id, ({ suspended }) => suspended);
  if (one) assert.throws(() => one.load(0, 32), EFAULT);
  if (scope === "buffer") await operator.call("delegations.revoke", { ids: [gone.delegation.id] });
  await assert.rejects(operator.call("buffers.peek", { name: "lab/kept", offset: 0 }), { code: "EIO" });
  await operator.call("devices.resume", { name: ivshmem });
  const back = await once(client, id, ({ suspended }) => !suspended);

  assert.deepEqual([device.suspended, seen.state, back.state], [true, "active", "active"]);
  if (one) assert.equal(one.load(0, 32), 7);
  if (other) assert.throws(() => other.load(0, 32), EFAULT);
  const { items } = await operator.call("audit.list", { limit: 50 });
  const actions = items.map(({ action }) => action).filter((action) => action.startsWith("device."));
  assert.deepEqual(actions, ["device.resumed", "device.suspended"]); // the newest first
});

test("windows and what is lent of the BAR itself end apart, where only the whole device takes the latter back", async () => {
  await using agent = await GuestAgent.start(["--rungs", "device-close", "--simulated", "off"]);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  for (const [at, name] of ["lab/whole", "lab/window"].entries())
    await operator.call("buffers.define", {
      name,
      device: ivshmem,
      region: 2,
      ranges: [{ offset: 0x720000 + at * 4096, length: 4096 }],
    });
  const whole = await client.borrow({ buffer: "lab/whole" });
  const window = await client.borrow({ buffer: "lab/window", exporter: "staged" });

  await assert.rejects(operator.call("delegations.revoke", { ids: [whole.delegation.id] }), {
    code: "BLAST_RADIUS",
    message: new RegExp(`\\b${window.delegation.id} \\(`),
  });
  void whole.release(); // waits for the window
  await once(
    operator,
    whole.delegation.id,
    ({ revocation }) => revocation?.waitingFor?.includes("others have it") ?? false,
  );
  const [ended] = await operator.call("delegations.revoke", { ids: [window.delegation.id] });
  const last = await once(operator, whole.delegation.id, ({ state }) => state === "revoked");

  assert.deepEqual([ended?.state, ended?.proof?.method], ["revoked", "ftruncate"]);
  assert.equal(last.proof?.method, "device-close");
});

test("a window whose warden was killed is cut by the agent, and not taken for gone with the device", async () => {
  await using agent = await GuestAgent.start(["--simulated", "off"]);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BAR, exporter: "staged" });
  const memory = lease.map();
  memory.store(0, 32, 1);
  const device = (await operator.call("devices.list", {})).find(({ name }) => name === ivshmem)!;

  process.kill(device.warden!.pid, "SIGKILL");
  const ended = await once(operator, lease.delegation.id, ({ state }) => state === "revoked");

  assert.deepEqual([ended.reason, ended.proof?.method, ended.proof?.by], ["device-lost", "ftruncate", "agent"]);
  assert.throws(() => memory.load(0, 32), EFAULT);
});
