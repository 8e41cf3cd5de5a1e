// What exporters promise that take nothing back: an export ends when nobody has it any more, and not before.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Case, generalCases, type Lender } from "./exporter-contract.ts";
import { Holder } from "./warden-holder.ts";
import { type Lent, PLAIN, type Warden } from "./warden-process.ts";

const EBUSY = 16;
const ENOMEM = 12;
const ENOTSUP = 95;
const PAGE = 4096;
/** Of the device. */
const SIZE = 16 << 20;
const page = (offset: number) => ({ offset, length: PAGE });

export function irrevocableContractOf(exporter: Lender): Case[] {
  const { start } = exporter;
  return [...generalCases(exporter), ...endingCases(start), ...memoryCases(exporter), ...wardenCases(start)];
}

/** An export of which a holder has the only copy but the warden's. */
async function lendTo(warden: Warden): Promise<{ lent: Lent; holder: Holder }> {
  const lent = await warden.export();
  assert.equal(lent.error, 0, lent.words);
  const holder = new Holder(lent.fd);
  assert.equal(await holder.do("map-writable"), "ok");
  warden.letGo(lent);
  return { lent, holder };
}

async function expectHeld(warden: Warden, { id }: Lent, others: number): Promise<void> {
  const [entry] = await warden.revoke(id);
  const { method, error, safe, probe } = entry!;
  assert.deepEqual(
    { method, error, safe, probe },
    { method: "last-reference", error: EBUSY, safe: false, probe: others },
  );
}

async function expectEnded(warden: Warden, { id }: Lent): Promise<void> {
  const [entry] = await warden.revoke(id);
  const { method, error, safe, probe } = entry!;
  assert.deepEqual({ method, error, safe, probe }, { method: "last-reference", error: 0, safe: true, probe: 0 });
}

function endingCases(start: () => Warden): Case[] {
  return [
    {
      name: "ends when its last holder lets go, and is answered then as ended before",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        await expectHeld(warden, lent, 2);
        assert.deepEqual(await holder.doAll("store 5 42", "load 5"), { "store 5 42": "ok", "load 5": "42" });

        assert.equal(await holder.do("unmap"), "ok");
        await expectHeld(warden, lent, 1);
        assert.equal(await holder.do("close"), "ok");

        await expectEnded(warden, lent);
        const [again] = await warden.revoke(lent.id);
        assert.deepEqual({ method: again!.method, safe: again!.safe }, { method: "ended-before", safe: true });
      },
    },
    {
      name: "ends when the process that has it does",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        await expectHeld(warden, lent, 2);

        await holder[Symbol.asyncDispose]();

        await expectEnded(warden, lent);
      },
    },
    {
      name: "goes on while there is a mapping of it alone",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        assert.equal(await holder.do("close"), "ok");

        await expectHeld(warden, lent, 1);

        assert.deepEqual(await holder.doAll("store 5 42", "load 5"), { "store 5 42": "ok", "load 5": "42" });
        await holder.do("unmap");
        await expectEnded(warden, lent);
      },
    },
    {
      name: "goes on while a process has it that its holder has made",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        assert.deepEqual(Object.values(await holder.doAll("spawn", "unmap", "close")), ["ok", "ok", "ok"]);

        await expectHeld(warden, lent, 2);

        assert.equal(await holder.do("reap"), "ok");
        await expectEnded(warden, lent);
      },
    },
    {
      name: "goes on while its descriptor is on its way between processes",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        assert.deepEqual(Object.values(await holder.doAll("unmap", "fly")), ["ok", "ok"]);

        await expectHeld(warden, lent, 1);

        assert.equal(await holder.do("land"), "ok");
        await expectEnded(warden, lent);
      },
    },
    {
      name: "is not ended by the end of another one, nor kept by it",
      async run() {
        await using warden = start();
        const [one, other] = [await lendTo(warden), await lendTo(warden)];
        await using _ends = one.holder;
        await using _too = other.holder;

        await one.holder.doAll("unmap", "close");

        await expectEnded(warden, one.lent);
        await expectHeld(warden, other.lent, 2);
        assert.equal(await other.holder.do("store 0 1"), "ok");
      },
    },
  ];
}

function memoryCases({ start, lendsReadOnly = true }: Lender): Case[] {
  const cases: Case[] = [
    {
      name: "lends fresh memory, whatever another borrower of the same range has stored",
      async run() {
        await using warden = start();
        const { lent, holder } = await lendTo(warden);
        await using _ends = holder;
        await holder.do("store 7 77");
        const beside = await lendTo(warden);
        await using _too = beside.holder;
        assert.equal(await beside.holder.do("load 7"), "0");
        await holder.doAll("unmap", "close");
        await expectEnded(warden, lent);

        const after = await lendTo(warden);
        await using _third = after.holder;

        assert.equal(await after.holder.do("load 7"), "0");
      },
    },
    {
      name: "names its export, which is as large as the ranges together",
      async run() {
        await using warden = start();
        const { fd, id } = await warden.export({ ranges: [page(PLAIN), page(0), page(0x8000)] });
        await using holder = new Holder(fd);

        assert.equal(await holder.do("name"), `/dmabuf:lendbuf:${id}`);
        assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), new RegExp(`^size:\t${3 * PAGE}$`, "m"));
      },
    },
    {
      name: "lends no more at once than the device has, and what has ended again",
      async run() {
        await using warden = start();
        const most = await warden.export({ ranges: [{ offset: 0, length: SIZE }] });
        assert.equal(most.error, 0, most.words);

        const { error, words } = await warden.export();
        warden.letGo(most);
        await expectEnded(warden, most);
        await warden.revoke(99_999); // what is dropped after an answer is gone before the next one

        assert.deepEqual([error, /given back/.test(words)], [ENOMEM, true]);
        assert.equal((await warden.export()).error, 0);
      },
    },
    {
      name: "has no words of its own to load or store",
      async run() {
        await using warden = start();

        const { error, words } = await warden.access({ region: 0 });

        assert.deepEqual([error, /fresh pages/.test(words)], [ENOTSUP, true]);
      },
    },
  ];
  if (lendsReadOnly) return cases;
  return [
    ...cases,
    {
      name: "refuses to lend read-only, and leaves nothing behind",
      async run() {
        await using warden = start();
        await warden.ready();
        const open = warden.openFds();

        const { fd, error, words } = await warden.export({ readOnly: true });

        assert.deepEqual([fd, error, /dma-heap/.test(words)], [-1, ENOTSUP, true]);
        assert.equal(warden.openFds(), open);
      },
    },
  ];
}

function wardenCases(start: () => Warden): Case[] {
  return [
    {
      name: "exits within a second of its agent's end, and its last word names what others have still",
      async run() {
        await using warden = start();
        const [held, left] = [await lendTo(warden), await lendTo(warden)];
        await using _ends = held.holder;
        await left.holder[Symbol.asyncDispose]();

        const endedAt = performance.now();
        const { status, lastWord } = await warden.end();
        const tookMs = performance.now() - endedAt;

        assert.ok(tookMs < 1000, `it took ${tookMs} ms`);
        assert.deepEqual([status, lastWord.unrevoked], [0, [{ id: held.lent.id, errno: "EBUSY" }]]);
        assert.deepEqual(await held.holder.doAll("store 5 42", "load 5"), { "store 5 42": "ok", "load 5": "42" });
      },
    },
  ];
}
