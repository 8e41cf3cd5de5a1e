// What every exporter promises, whatever is behind it: cases that run in vitest against memfds, and in the lab machine against VFIO.
import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { Holder } from "./warden-holder.ts";
import { type Lent, PLAIN, type Warden } from "./warden-process.ts";

export interface Case {
  name: string;
  run(): Promise<void>;
}

/** What every exporter needs to be tried. */
export interface Lender {
  /** A warden whose usual region is 16 MiB of plain memory. */
  start(): Warden;
  /** Of its best rung. */
  method: "ftruncate" | "dma-buf-revoke" | "vfio-feature-revoke" | "device-close" | "last-reference";
  /** Whether its exports can be read-only; they can where it says nothing. */
  lendsReadOnly?: boolean;
}

/** One that takes its exports back. */
export interface Exporter extends Lender {
  /** What a fresh mmap of a revoked export, or the size of a memfd, shows. */
  probe: number;
  /** Brings what a holder stored to the device, or what the device has to the holder; where they do not share memory. */
  sync?(warden: Warden, lent: Lent, toDevice: boolean): Promise<void>;
}

const KIB = 1024;
const EINVAL = 22;
const page = (offset: number) => ({ offset, length: 4 * KIB });

/** All of a staged export's window. */
export async function syncWhole(warden: Warden, { id, fd }: Lent, toDevice: boolean): Promise<void> {
  const { error, words } = await warden.sync({ id, length: fstatSync(fd).size, toDevice });
  assert.equal(error, 0, words);
}

export function contractOf(exporter: Exporter): Case[] {
  const { start, method, probe } = exporter;
  const isProof = (entry: { method: unknown; error: number; safe: boolean; probe: number } | undefined) => {
    assert.deepEqual(
      { method: entry?.method, error: entry?.error, safe: entry?.safe, probe: entry?.probe },
      { method, error: 0, safe: true, probe },
    );
  };
  const cases: Case[] = [
    ...generalCases(exporter),
    ...[false, true].map((readOnly) => ({
      name: `takes the memory from a process that mapped it, for good (read-only: ${readOnly})`,
      async run() {
        await using warden = start();
        const { fd, id, words } = await warden.export({ readOnly });
        assert.equal(words, "");
        await using holder = new Holder(fd);
        assert.equal(await holder.do(readOnly ? "map-readable" : "map-writable"), "ok");
        assert.match((await holder.do("load 5"))!, /^-?\d+$/);
        if (!readOnly)
          assert.deepEqual(await holder.doAll("store 5 42", "load 5"), { "store 5 42": "ok", "load 5": "42" });

        const [entry] = await warden.revoke(id);

        isProof(entry);
        assert.ok(entry!.durationUs > 0);
        assert.equal(await holder.do("load 5"), "EFAULT");
        if (!readOnly) assert.equal(await holder.do("store 5 1"), "EFAULT");
        assert.notEqual(await holder.do("map-readable"), "ok");
      },
    })),
    {
      name: "takes it from a process that has the mapping alone, its fd closed",
      async run() {
        await using warden = start();
        const { fd, id } = await warden.export();
        await using holder = new Holder(fd);
        await holder.do("map-writable");
        await holder.do("fork");
        assert.deepEqual(await holder.doAll("store 7 43", "load 7"), { "store 7 43": "ok", "load 7": "43" });

        await warden.revoke(id);

        assert.equal(await holder.do("load 7"), "EFAULT");
      },
    },
    {
      name: "takes it from two processes that mapped copies of one fd",
      async run() {
        await using warden = start();
        const { fd, id } = await warden.export();
        await using one = new Holder(fd);
        await using other = new Holder(fd);
        for (const holder of [one, other]) assert.equal(await holder.do("map-writable"), "ok");
        await one.do("store 9 44");
        assert.equal(await other.do("load 9"), "44");

        await warden.revoke(id);

        assert.deepEqual([await one.do("load 9"), await other.do("load 9")], ["EFAULT", "EFAULT"]);
      },
    },
    {
      name: "answers a revoke that is asked for twice with its proof both times",
      async run() {
        await using warden = start();
        const { id } = await warden.export();

        const entries = await warden.revoke(id, id);

        assert.deepEqual(
          entries.map(({ safe }) => safe),
          [true, true],
        );
        isProof(entries[0]);
      },
    },
    {
      name: "cuts everything within a second of its agent's end, and says so in its last word",
      async run() {
        await using warden = start();
        const lent = [await warden.export(), await warden.export({ readOnly: true, ranges: [page(PLAIN + 4 * KIB)] })];
        await using writer = new Holder(lent[0]!.fd);
        await using reader = new Holder(lent[1]!.fd);
        await writer.do("map-writable");
        await reader.do("map-readable");
        assert.equal([await writer.do("store 0 1"), await reader.do("load 0")].includes("EFAULT"), false);

        const endedAt = performance.now();
        warden.socket.close();
        while ((await writer.do("store 0 1")) !== "EFAULT" || (await reader.do("load 0")) !== "EFAULT");
        const tookMs = performance.now() - endedAt;

        assert.ok(tookMs < 1000, `it took ${tookMs} ms`);
        const { status, lastWord } = await warden.end();
        assert.deepEqual({ status, unrevoked: lastWord.unrevoked }, { status: 0, unrevoked: [] });
        assert.equal(lastWord.exports, 2);
      },
    },
  ];
  return method === "device-close" ? cases : [...cases, ...buffersOf(exporter, isProof)];
}

/** What holds whether an export can be taken back or not. */
export function generalCases({ start, method, lendsReadOnly = true }: Lender): Case[] {
  return [
    {
      name: "tests its rungs on exports of its own, and says of each whether it works or why not",
      async run() {
        await using warden = start();

        const { works, method: best, rungs } = await warden.capability();

        assert.deepEqual({ works, best }, { works: true, best: method });
        assert.equal(rungs.find((rung) => rung.works)?.method, method);
        for (const rung of rungs) assert.ok(rung.words.length > 0 && (rung.works || rung.error !== 0), rung.words);
      },
    },
    {
      name: "says of what was never exported that it never was",
      async run() {
        await using warden = start();

        const [entry] = await warden.revoke(12_345);

        assert.deepEqual({ method: entry!.method, safe: entry!.safe }, { method: "never-exported", safe: true });
      },
    },
    ...(
      [
        ["misaligned", [{ offset: 100, length: 4096 }], "not aligned"],
        ["past the end", [{ offset: 16 << 20, length: 4096 }], "past the end"],
        ["empty", [{ offset: 0, length: 0 }], "is empty"],
        ["overlapping", [page(0), page(0)], "overlap"],
      ] as const
    ).map(([what, ranges, words]) => ({
      name: `refuses ranges that are ${what}, and leaves nothing behind`,
      async run() {
        await using warden = start();
        await warden.ready();
        const open = warden.openFds();

        const refused = await warden.export({ ranges });

        assert.deepEqual({ fd: refused.fd, error: refused.error }, { fd: -1, error: EINVAL });
        assert.ok(refused.words.includes(words), refused.words);
        assert.equal(warden.openFds(), open);
      },
    })),
    ...(lendsReadOnly ? readOnlyCases(start) : []),
    ...(method === "device-close" ? [] : [descriptorCase(start, lendsReadOnly)]),
  ];
}

function readOnlyCases(start: () => Warden): Case[] {
  return [
    {
      name: "lets nobody map a read-only export for writing",
      async run() {
        await using warden = start();
        const { fd } = await warden.export({ readOnly: true });
        await using holder = new Holder(fd);

        const answers = await holder.doAll("map-writable", "map-readable", "make-writable");

        assert.deepEqual(Object.values(answers), ["EACCES", "ok", "EACCES"]);
      },
    },
  ];
}

/** Of exporters that end one export and leave the others alone. */
function descriptorCase(start: () => Warden, lendsReadOnly: boolean): Case {
  return {
    name: "leaves no descriptor behind after a hundred revokes",
    async run() {
      await using warden = start();
      await warden.ready();
      const open = warden.openFds();

      for (let i = 0; i < 50; i++) {
        const lent = [await warden.export(), await warden.export({ readOnly: lendsReadOnly })];
        for (const one of lent) warden.letGo(one);
        await warden.revoke(...lent.map(({ id }) => id));
      }
      await warden.revoke(99_999); // what is dropped after an answer is gone before the next one
      assert.equal(warden.openFds(), open);
    },
  };
}

/** Of exporters that revoke one export and leave the others alone. */
function buffersOf({ start, sync }: Exporter, isProof: (entry: never) => void): Case[] {
  return [
    {
      name: "leaves another export of the same range alone",
      async run() {
        await using warden = start();
        const [first, second] = [await warden.export({ readOnly: true }), await warden.export({ readOnly: true })];
        await using one = new Holder(first.fd);
        await using other = new Holder(second.fd);
        for (const holder of [one, other]) assert.equal(await holder.do("map-readable"), "ok");
        const before = await other.do("load 0");

        isProof((await warden.revoke(first.id))[0] as never);

        assert.equal(await one.do("load 0"), "EFAULT");
        assert.equal(await other.do("load 0"), before);
        isProof((await warden.revoke(second.id))[0] as never);
        assert.equal(await other.do("load 0"), "EFAULT");
      },
    },
    {
      name: "answers its proof again, long after the revoke",
      async run() {
        await using warden = start();
        const { id } = await warden.export();
        await warden.revoke(id);

        const [again] = await warden.revoke(id);

        assert.deepEqual({ error: again!.error, safe: again!.safe }, { error: 0, safe: true });
      },
    },
    {
      name: "shows the next borrower what the last one left, ranges joined in the order asked for",
      async run() {
        await using warden = start();
        const [first, second] = [PLAIN + 8 * KIB * KIB, PLAIN];
        const ranges = [{ offset: first, length: 8 * KIB }, page(second), page(second + 4 * KIB)];
        const writer = await warden.export({ ranges });
        await using holder = new Holder(writer.fd);
        await holder.do("map-writable");
        const stores = [`store ${4 * KIB} 11`, `store ${8 * KIB} 12`, `store ${12 * KIB} 13`];
        assert.deepEqual(Object.values(await holder.doAll(...stores)), ["ok", "ok", "ok"]);
        await sync?.(warden, writer, true);
        await warden.revoke(writer.id);

        const next = await warden.export({ ranges: [ranges[2]!, ranges[1]!, ranges[0]!] });
        await sync?.(warden, next, false);
        await using borrower = new Holder(next.fd);
        await borrower.do("map-readable");
        const loads = ["load 0", `load ${4 * KIB}`, `load ${12 * KIB}`];

        assert.deepEqual(Object.values(await borrower.doAll(...loads)), ["13", "12", "11"]);
      },
    },
  ];
}
