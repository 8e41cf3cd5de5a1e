// What every client promises, once for all of them: played by vitest against simulated memory, and in the lab machine against real devices.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type Client, Refused, type Told } from "./client.ts";
import type { Refusal } from "./clients.ts";
import type { Stage } from "./stage.ts";

export interface Scenario {
  name: string;
  play(stage: Stage): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** For a place in line that nobody will get. */
const SHORT_MS = 300;

export const SCENARIOS: readonly Scenario[] = [
  { name: "borrows what it asks for, on its own account", play: borrow },
  { name: "writes what others read, and reads what others write", play: readAndWrite },
  { name: "cannot write what it borrowed to read", play: readOnly },
  { name: "loses it in the middle of a read, knows it for that, and lives on", play: loseWhileReading },
  { name: "has more time when it extends", play: extend },
  { name: "gives it back, and it is free at once", play: release },
  { name: "waits in line, and has it when its turn has come", play: waitInLine },
  { name: "gives up its place when its time to wait is over", play: waitTooLong },
  { name: "gives up its place when it dies", play: dieInLine },
  { name: "is told of an end before it comes, and of its reason", play: beCutOff },
  { name: "loses it when it dies, without a word", play: die },
  { name: "tells refusals apart", play: refusals },
  { name: "loses it with its agent, is told, and goes on with the next one", play: agentDies },
];

/** In place of these, where the kernel lets no process map what is lent. */
export const UNMAPPABLE: readonly Scenario[] = [
  { name: "borrows what no process here can map, and knows it for that", play: cannotMap },
];

async function borrow({ client, operator, buffer, exporter }: Stage): Promise<void> {
  const purpose = "a contract: ü";

  const { id, size } = await client.borrow(buffer, { exporter, purpose, forMs: HOUR_MS });

  const record = await client.record();
  const [known, view] = [
    await operator.call("delegations.get", { id }),
    await operator.call("buffers.get", { name: buffer }),
  ];
  assert.equal(size, view.size);
  assert.deepEqual(record, known);
  assert.deepEqual(
    [known.account, known.buffer, known.state, known.access, known.exporter, known.leaseMs, known.purpose],
    [`uid:${process.getuid!()}`, buffer, "active", "read-write", exporter, HOUR_MS, purpose],
  );
  assert.deepEqual([view.state, view.current.map((one) => one.id)], ["lent", [id]]);
}

async function readAndWrite(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  const { size } = await client.borrow(buffer, { exporter });
  const bytes = randomBytes(64);

  await stage.put(size - bytes.length, bytes);
  const seen = await stage.seen(size - bytes.length, bytes.length);
  await operator.call("buffers.poke", { name: buffer, offset: 64, width: 64, value: "0x1122334455667788" });
  const read = await stage.get(64, 8);
  await client.release();
  await client.borrow(buffer, { exporter });
  const later = await stage.get(size - bytes.length, bytes.length);

  assert.deepEqual(seen, bytes);
  assert.equal(read.toString("hex"), "8877665544332211");
  assert.deepEqual(later, bytes, "the next borrower finds what the last one wrote");
}

async function readOnly(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  await operator.call("buffers.poke", { name: buffer, offset: 0, value: "0x44332211" });
  await client.borrow(buffer, { exporter, readOnly: true });

  const read = await stage.get(0, 4);
  await refused(stage, client.write(0, Buffer.of(1)), "read only");

  assert.equal(read.toString("hex"), "11223344");
  assert.deepEqual(await stage.seen(0, 4), read);
}

async function loseWhileReading(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  const bytes = randomBytes(4096);
  const { id } = await client.borrow(buffer, { exporter });
  await client.write(0, bytes);
  const reading = await client.readOn(0, bytes);

  const [revoked] = await operator.call("delegations.revoke", { ids: [id] });
  const loss = await reading.end;

  assert.equal(revoked?.state, "revoked");
  assert.equal(loss.type, stage.kind.refusals.revoked, loss.message);
  assert.deepEqual(await toldOf(client, "revoked"), { kind: "revoked", reason: "operator" });
  await refused(stage, client.write(0, bytes), "revoked");
  await client.borrow(buffer, { exporter });
  await client.write(0, bytes);
  assert.deepEqual(await client.read(0, bytes.length), bytes);
}

async function extend({ client, operator, buffer, exporter }: Stage): Promise<void> {
  const { id } = await client.borrow(buffer, { exporter, forMs: HOUR_MS });
  const before = await operator.call("delegations.get", { id });

  const end = await client.extend(HOUR_MS);

  const after = await operator.call("delegations.get", { id });
  assert.equal(end, after.expiresAt);
  assert.ok(end - before.expiresAt! > HOUR_MS / 2, `${end} after ${before.expiresAt}`);
  assert.equal((await client.hear()).kind, "extended");
}

async function release({ client, operator, buffer, exporter }: Stage): Promise<void> {
  const { id } = await client.borrow(buffer, { exporter });

  await client.release();

  const [{ state, reason }, view] = [
    await operator.call("delegations.get", { id }),
    await operator.call("buffers.get", { name: buffer }),
  ];
  assert.deepEqual([state, reason, view.state], ["revoked", "released", "free"]);
}

async function waitInLine(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  const other = await operator.borrow({ buffer, exporter });
  other.write(0, Buffer.from("by the other"));
  if (exporter === "staged") await other.sync("to-device", { offset: 0, length: 12 });

  const borrowed = client.borrow(buffer, { exporter, waitMs: "forever" });
  const { id, position } = await stage.waiting();
  await other.release();

  assert.equal(position, 1);
  assert.equal((await borrowed).id, id);
  assert.equal((await stage.get(0, 12)).toString(), "by the other");
}

async function waitTooLong(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  const other = await operator.borrow({ buffer, exporter });

  await refused(stage, client.borrow(buffer, { exporter, waitMs: SHORT_MS }), "still taken");

  await noneWaits(stage);
  await other.release();
  assert.equal((await operator.call("buffers.get", { name: buffer })).state, "free");
}

async function dieInLine(stage: Stage): Promise<void> {
  const { operator, buffer, exporter } = stage;
  const other = await operator.borrow({ buffer, exporter });
  const mortal = await stage.another();
  const borrowed = mortal.borrow(buffer, { exporter, waitMs: "forever" }).catch(() => {});
  const { id } = await stage.waiting();

  await mortal.kill();
  await borrowed;
  const ended = await stage.once(id, ({ state }) => state === "cancelled");

  assert.equal(ended.reason, "disconnected");
  await other.release();
}

async function beCutOff(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  const bytes = randomBytes(64);
  const { id } = await client.borrow(buffer, { exporter, forMs: 2 * HOUR_MS });
  await client.write(0, bytes);

  await operator.call("delegations.revoke", { ids: [id], noticeMs: HOUR_MS });
  const before = await client.hear();
  const meanwhile = await client.read(0, bytes.length);
  await refused(stage, client.extend(HOUR_MS), "not allowed");
  await operator.call("delegations.revoke", { ids: [id], noticeMs: 1 });
  const end = await toldOf(client, "revoked");

  assert.deepEqual(before, { kind: "ending", reason: "operator" });
  assert.deepEqual(meanwhile, bytes);
  assert.deepEqual(end, { kind: "revoked", reason: "operator" });
  await refused(stage, client.read(0, 1), "revoked");
}

async function die(stage: Stage): Promise<void> {
  const { buffer, exporter } = stage;
  const mortal = await stage.another();
  const { id } = await mortal.borrow(buffer, { exporter });

  await mortal.kill();
  const ended = await stage.once(id, ({ state }) => state === "revoked");

  assert.equal(ended.reason, "disconnected");
}

async function refusals(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;
  await using _other = await operator.borrow({ buffer, exporter });

  await refused(stage, client.borrow(`${buffer}/none`), "not found");
  await refused(stage, client.borrow(buffer, { exporter }), "busy");
  await refused(stage, client.borrow(buffer, { exporter: "dma-heap" }), "unsupported");
}

async function cannotMap(stage: Stage): Promise<void> {
  const { client, operator, buffer, exporter } = stage;

  await refused(
    stage,
    client.borrow(buffer, { exporter }).then(() => client.read(0, 1)),
    "not mappable",
  );

  assert.equal((await operator.call("buffers.get", { name: buffer })).state, "lent");
}

async function agentDies(stage: Stage): Promise<void> {
  const { client, buffer, exporter } = stage;
  const bytes = randomBytes(4096);
  const { id } = await client.borrow(buffer, { exporter });
  await client.write(0, bytes);
  const reading = await client.readOn(0, bytes);

  await stage.host.crash();
  const loss = await reading.end;

  assert.equal(loss.type, stage.kind.refusals.revoked, loss.message);
  assert.equal((await client.hear()).kind, "lost");
  await refused(stage, client.borrow(buffer), "connection lost");
  await refused(
    stage,
    client.connect().then(() => client.borrow(buffer)),
    "no agent",
  );

  await stage.restartAgent();
  await client.connect();
  const ended = await stage.operator.call("delegations.get", { id });
  await client.borrow(buffer, { exporter, waitMs: "forever" });
  await client.write(0, bytes);

  assert.equal(ended.reason, "agent-restart");
  assert.deepEqual(await client.read(0, bytes.length), bytes);
}

async function refused({ kind }: Stage, work: Promise<unknown>, refusal: Refusal): Promise<void> {
  const error = await work.then(
    () => assert.fail(`this was to be refused: ${refusal}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw error;
  assert.equal(error.type, kind.refusals[refusal], error.message);
  assert.match(error.message, /\w+ \w+/, "says it in words");
}

/** What leads there may be told before, or was overtaken. */
async function toldOf(client: Client, kind: "revoked"): Promise<Told> {
  for (;;) {
    const told = await client.hear();
    if (told.kind === kind) return told;
    assert.match(told.kind, /^(ending|revoking)$/);
  }
}

async function noneWaits({ operator, buffer }: Stage): Promise<void> {
  for await (const { items } of operator.subscribe("delegations.watch", {}))
    if (!items.some((one) => one.state === "waiting" && one.buffer === buffer)) return;
}
