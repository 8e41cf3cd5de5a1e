// The VFIO exporter's cases, for the lab machine: real kernel, real VFIO, an ivshmem whose BAR 2 is a file outside, and edu beside it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { wardenPath } from "../../src/build.ts";
import { type Case, contractOf, type Exporter, syncWhole } from "../exporter-contract.ts";
import { Holder } from "../warden-holder.ts";
import { Warden, type WardenOptions } from "../warden-process.ts";
import { addressOf, EDU, IVSHMEM, RNG } from "./devices.ts";

const FEATURE = 15; // of the lab kernel
const ENODEV = 19;
const EBUSY = 16;
const EINVAL = 22;
const EPERM = 1;
const EIO = 5;
const EBADFD = 77;
const PAGE = 4096;

/** Where the cases leave "lent", and a host outside finds it in the BAR's file. */
export const MARK = { offset: 0x200000, text: "lent" };
const STAGED_MARK = { offset: 0x210000, text: "copy" };

const build = { name: "plain", command: [wardenPath()] };
const page = (offset: number) => ({ offset, length: PAGE });

function startOn(id: string, ...rest: string[]): Warden {
  return new Warden(build, { device: ["--device", addressOf(id), ...rest] } satisfies WardenOptions);
}

const RUNGS: Record<string, Exporter> = {
  "rung 1": { start: () => startOn(IVSHMEM), method: "dma-buf-revoke", probe: ENODEV },
  "rung 2": {
    start: () => startOn(IVSHMEM, "--rungs", "vfio-feature-revoke", "--revoke-feature", `${FEATURE}`),
    method: "vfio-feature-revoke",
    probe: ENODEV,
  },
  "rung 4": { start: () => startOn(IVSHMEM, "--rungs", "device-close"), method: "device-close", probe: ENODEV },
};

const STAGED: Exporter = {
  start: () => new Warden(build, { device: ["--device", addressOf(IVSHMEM)], exporter: "staged" }),
  method: "ftruncate",
  probe: 0,
  sync: syncWhole,
};

/** Those of the kernel that runs, for an ordinary user whose the devices are. */
export function casesHere(): Case[] {
  const own = existsSync("/dev/iommu") ? [...labCases(), ...groupCases()] : stockCases();
  return [...own, ...stagedCases()];
}

/** Under each kernel. */
function stagedCases(): Case[] {
  const contract = contractOf(STAGED).map(({ name, run }) => ({ name: `staged: ${name}`, run }));
  return [...contract, ...windowCases(), ...suspensionCases()];
}

/** Of windows onto a real device. */
function windowCases(): Case[] {
  return [
    {
      name: "staged: what a client writes is in the BAR once it is copied there, and nothing more of it after the revoke",
      async run() {
        await using warden = STAGED.start();
        const lent = await warden.export({ ranges: [page(STAGED_MARK.offset)] });
        await using holder = new Holder(lent.fd);
        await holder.do("map-writable");
        for (const [i, byte] of [...Buffer.from(STAGED_MARK.text)].entries()) await holder.do(`store ${i} ${byte}`);
        assert.equal((await warden.sync({ id: lent.id, length: 8, width: 8, toDevice: true })).error, 0);
        const { value } = await warden.access({ region: 2, offset: STAGED_MARK.offset });
        await holder.do("store 0 33");

        await warden.revoke(lent.id);

        assert.equal(Number(value), Buffer.from(STAGED_MARK.text).readUInt32LE(0));
        assert.equal((await warden.sync({ id: lent.id, toDevice: true })).error, EBADFD);
        assert.equal((await warden.access({ region: 2, offset: STAGED_MARK.offset })).value, value);
      },
    },
    {
      name: "staged: a register is copied with the width that it needs",
      async run() {
        await using warden = new Warden(build, { device: ["--device", addressOf(EDU)], exporter: "staged" });
        const lent = await warden.export({ region: 0, ranges: [page(0)] });
        await using holder = new Holder(lent.fd);
        await holder.do("map-writable");

        assert.equal((await warden.sync({ id: lent.id, length: 4 })).error, 0);
        const id = await Promise.all([0, 1, 2, 3].map((at) => holder.do(`load ${at}`)));
        for (const at of [4, 5, 6, 7]) await holder.do(`store ${at} 0`);
        assert.equal((await warden.sync({ id: lent.id, offset: 4, length: 4, toDevice: true })).error, 0);
        assert.equal((await warden.sync({ id: lent.id, offset: 4, length: 4 })).error, 0);

        assert.deepEqual(
          id.map((byte) => Number(byte) & 0xff),
          [0xed, 0x00, 0x00, 0x01],
        ); // 0x010000ed
        assert.equal(await holder.do("load 4"), "-1"); // edu answers the complement
      },
    },
    {
      name: "staged: windows and exports of one device end each by itself where the kernel can, and all with the device",
      async run() {
        await using warden = startOn(IVSHMEM);
        const lent = await warden.export();
        const staged = await warden.export({ kind: "staged", ranges: [page(0x8000)] });
        await using window = new Holder(staged.fd);
        await window.do("map-readable");
        const { scope } = await warden.capability();

        const [entry] = await warden.revoke(lent.id);

        if (scope === "buffer") assert.equal(entry!.safe, true);
        else assert.deepEqual([entry!.error, entry!.safe], [EBUSY, false]); // the window would end too
        assert.equal(await window.do("load 0"), "0");
        const [own] = await warden.revoke(staged.id);
        assert.deepEqual([own!.method, own!.safe], ["ftruncate", true]);
        assert.equal(await window.do("load 0"), "EFAULT");
      },
    },
    {
      name: "staged: closing the device ends its windows too",
      async run() {
        await using warden = startOn(IVSHMEM, "--rungs", "device-close");
        const lent = await warden.export();
        const staged = await warden.export({ kind: "staged", ranges: [page(0x8000)] });
        await using window = new Holder(staged.fd);
        await window.do("map-readable");

        const entries = await warden.revokeDeviceWide([lent.id], 2);

        const seen = entries.map(({ id, method, safe }) => ({ id, method, safe })).sort((a, b) => a.id - b.id);
        assert.deepEqual(seen, [
          { id: lent.id, method: "device-close", safe: true },
          { id: staged.id, method: "ftruncate", safe: true },
        ]);
        assert.equal(await window.do("load 0"), "EFAULT");
        assert.equal((await warden.ended).status, 0);
      },
    },
  ];
}

/** The device's memory is taken from everybody for now, and given back. */
function suspensionCases(): Case[] {
  return [
    {
      name: "suspended, a live export faults until it is resumed, and one that was revoked stays revoked",
      async run() {
        await using warden = startOn(IVSHMEM);
        const [live, gone] = [await warden.export(), await warden.export({ ranges: [page(0x8000)] })];
        await using one = new Holder(live.fd);
        await using other = new Holder(gone.fd);
        const { mappable, scope } = await warden.capability();
        if (mappable) for (const holder of [one, other]) assert.equal(await holder.do("map-writable"), "ok");
        if (mappable) assert.equal(await one.do("store 0 7"), "ok");

        assert.equal((await warden.suspend(true)).error, 0);
        if (mappable) assert.deepEqual([await one.do("load 0"), await other.do("load 0")], ["EFAULT", "EFAULT"]);
        if (scope === "buffer") assert.equal((await warden.revoke(gone.id))[0]!.safe, true);
        const refused = await warden.access({ region: 2, offset: PAGE });
        assert.deepEqual([refused.error, /suspended/.test(refused.words)], [EIO, true]);
        assert.equal((await warden.suspend(false)).error, 0);

        if (mappable) assert.equal(await one.do("load 0"), "7");
        if (mappable) assert.equal(await other.do("load 0"), "EFAULT");
        assert.equal((await warden.access({ region: 2, offset: PAGE })).error, 0);
      },
    },
    {
      name: "suspended, nothing is copied to or from a window, and its bytes stay",
      async run() {
        await using warden = STAGED.start();
        const { id, fd } = await warden.export();
        await using holder = new Holder(fd);
        await holder.do("map-writable");
        await holder.do("store 0 9");

        await warden.suspend(true);
        const { error, words } = await warden.sync({ id, toDevice: true });
        await warden.suspend(false);

        assert.deepEqual([error, /suspended/.test(words)], [EIO, true]);
        assert.equal(await holder.do("load 0"), "9");
        assert.equal((await warden.sync({ id, toDevice: true })).error, 0);
      },
    },
  ];
}

/** On a kernel whose exports can be mapped and revoked one by one. */
function labCases(): Case[] {
  const contracts = Object.entries(RUNGS).flatMap(([rung, exporter]) =>
    contractOf(exporter).map(({ name, run }) => ({ name: `${rung}: ${name}`, run })),
  );
  const each = ["rung 1", "rung 2"].flatMap((rung) =>
    bufferCases(RUNGS[rung]!.start).map(({ name, run }) => ({ name: `${rung}: ${name}`, run })),
  );
  const parts = [
    ...part("rung 2 through another device's fd answers ENODEV, which is not safe", "wrong-device"),
    ...part("an fd that is no dma-buf is refused, which is not safe", "not-a-dma-buf"),
    ...part("a revoke through a copy of the fd ends both mappings of it, and no alias", "copy"),
    ...part("a device that is closed under live mappings ends them", "device-closed"),
  ];
  return [...contracts, ...each, ...parts, ...openingCases(), ...deviceWideCases(RUNGS["rung 4"]!.start)];
}

/** The same through the group API, for a user who may not open /dev/iommu for as long; it must be his. */
function groupCases(): Case[] {
  const contract = contractOf(RUNGS["rung 1"]!);
  const deviceWide = deviceWideCases(RUNGS["rung 4"]!.start);
  const isGroup: Case = {
    name: "the device is opened through its group where iommufd is out of reach",
    async run() {
      await using warden = startOn(IVSHMEM);
      assert.equal((await warden.ready()).access, "group");
    },
  };
  return [isGroup, ...contract, ...openingCases(), ...deviceWide].map(({ name, run }) => ({
    name: `group: ${name}`,
    async run() {
      chmodSync("/dev/iommu", 0);
      try {
        await run();
      } finally {
        chmodSync("/dev/iommu", 0o600);
      }
    },
  }));
}

/** On a kernel that exports, and has neither mmap of exports nor any revoke but closing the device. */
function stockCases(): Case[] {
  return [
    {
      name: "says of each rung why it does not work here, and that exports cannot be mapped",
      async run() {
        await using warden = startOn(IVSHMEM, "--revoke-feature", `${FEATURE}`);

        const { access } = await warden.ready();
        const { works, method: best, scope, mappable, rungs } = await warden.capability();

        const seen = rungs.map(({ method, works, error }) => ({ method, works, error }));
        assert.deepEqual(seen, [
          { method: "dma-buf-revoke", works: false, error: 25 },
          { method: "vfio-feature-revoke", works: false, error: 25 },
          { method: "device-close", works: true, error: 0 },
        ]);
        assert.deepEqual(
          { works, best, scope, mappable, access },
          { works: true, best: "device-close", scope: "device", mappable: false, access: "group" },
        );
        const { fd } = await warden.export();
        await using holder = new Holder(fd);
        assert.equal(await holder.do("map-readable"), "EINVAL");
      },
    },
    ...openingCases(),
    ...deviceWideCases(() => startOn(IVSHMEM)),
  ];
}

function part(name: string, which: string): Case[] {
  return [
    {
      name,
      async run() {
        const args = [which, addressOf(IVSHMEM), addressOf(EDU), `${FEATURE}`];
        try {
          execFileSync(process.env.LENDBUF_VFIO_PARTS!, args, { encoding: "utf8" });
        } catch (error) {
          assert.fail((error as { stdout: string }).stdout || String(error));
        }
      },
    },
  ];
}

function bufferCases(start: () => Warden): Case[] {
  return [
    {
      name: "an export is named, and beyond its end there is nothing to map",
      async run() {
        await using warden = start();
        const { fd, id } = await warden.export({ ranges: [page(0x1000)] });
        await using holder = new Holder(fd);

        assert.deepEqual(await holder.doAll("name", "map-beyond"), {
          name: `/dmabuf:lendbuf:${id}`,
          "map-beyond": "EINVAL",
        });
        assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), /exp_name:\s*vfio_pci_core/);
      },
    },
    {
      name: "what a client writes is in the BAR, and nothing more of it after the revoke",
      async run() {
        await using warden = start();
        const { fd, id } = await warden.export({ ranges: [page(MARK.offset)] });
        await using holder = new Holder(fd);
        await holder.do("map-writable");
        for (const [i, byte] of [...Buffer.from(MARK.text)].entries()) await holder.do(`store ${i} ${byte}`);

        const [entry] = await warden.revoke(id);

        assert.equal(entry!.safe, true);
        for (const i of MARK.text.split("").keys()) assert.equal(await holder.do(`store ${i} 33`), "EFAULT");
      },
    },
    {
      name: "a fence that never signals delays the proof, not the cut, and no neighbour",
      async run() {
        await using warden = start();
        const [stuck, other] = [await warden.export(), await warden.export({ ranges: [page(0x8000)] })];
        await using evil = new Holder(stuck.fd);
        await using neighbour = new Holder(other.fd);
        for (const holder of [evil, neighbour]) assert.equal(await holder.do("map-writable"), "ok");
        await evil.do("store 0 1");
        assert.equal(await evil.do("hang"), "ok");
        let proven = false;

        const waiting = warden.revoke(stuck.id).then(([entry]) => {
          proven = true;
          return entry;
        });
        const [first] = await warden.revoke(99_999); // answered after the stuck one was begun
        assert.equal(first!.method, "never-exported");
        for (const since = Date.now(); (await evil.do("store 0 2")) !== "EFAULT"; )
          assert.ok(Date.now() - since < 2000, "the client goes on writing");

        assert.equal(await neighbour.do("store 4 5"), "ok");
        const third = await warden.export({ ranges: [page(0x9000)] });
        assert.equal(third.error, 0);
        for (const id of [other.id, third.id]) assert.equal((await warden.revoke(id))[0]!.safe, true);
        assert.equal(await neighbour.do("store 4 6"), "EFAULT");
        assert.equal(proven, false);

        await evil.do("unhang");
        assert.deepEqual((({ error, safe, probe }) => ({ error, safe, probe }))((await waiting)!), {
          error: 0,
          safe: true,
          probe: ENODEV,
        });
      },
    },
    {
      name: "a fence that never signals keeps no neighbour alive when the agent dies, and the last word waits for it",
      async run() {
        await using warden = start();
        const [stuck, other] = [await warden.export(), await warden.export({ ranges: [page(0x8000)] })];
        await using evil = new Holder(stuck.fd);
        await using neighbour = new Holder(other.fd);
        for (const holder of [evil, neighbour]) assert.equal(await holder.do("map-writable"), "ok");
        for (const holder of [evil, neighbour]) assert.equal(await holder.do("store 0 1"), "ok");
        assert.equal(await evil.do("hang"), "ok");

        warden.socket.close();

        for (const holder of [neighbour, evil]) {
          const since = Date.now();
          while ((await holder.do("store 0 2")) !== "EFAULT")
            assert.ok(Date.now() - since < 1000, "it goes on writing");
        }
        assert.equal(readFileSync(warden.lastWordPath, "utf8").trim(), "");
        await evil.do("unhang");
        assert.deepEqual((await warden.end()).lastWord.unrevoked, []);
      },
    },
    {
      name: "SIGKILL of the warden ends its exports within a second",
      async run() {
        await using warden = start();
        const { fd } = await warden.export();
        await using holder = new Holder(fd);
        await holder.do("map-writable");
        assert.equal(await holder.do("store 0 1"), "ok");

        process.kill(warden.pid, "SIGKILL");

        const since = Date.now();
        while ((await holder.do("store 0 2")) !== "EFAULT") assert.ok(Date.now() - since < 1000, "it goes on writing");
      },
    },
  ];
}

function openingCases(): Case[] {
  const endOf = async (warden: Warden) => {
    const { status, errors } = await warden.ended;
    return { status, errors };
  };
  return [
    {
      name: "a device shows its BARs, and why some cannot be lent",
      async run() {
        await using warden = startOn(IVSHMEM);
        const { regions } = await warden.ready();

        const lendable = regions.map(({ index, size, unlendable }) => ({ index, size, unlendable }));
        assert.deepEqual(lendable, [
          { index: 0, size: 256, unlendable: "sub-page" },
          { index: 1, size: 0, unlendable: "unassigned" },
          { index: 2, size: 16 << 20, unlendable: null },
          { index: 3, size: 0, unlendable: "unassigned" },
          { index: 4, size: 0, unlendable: "unassigned" },
          { index: 5, size: 0, unlendable: "unassigned" },
        ]);
        for (const [region, error] of [
          [0, EINVAL],
          [1, ENODEV],
        ] as const) {
          assert.equal((await warden.export({ region, ranges: [page(0)] })).error, error);
        }
      },
    },
    {
      name: "the BAR of edu, whose reads may have effects, is tested without a read of it",
      async run() {
        await using warden = startOn(EDU);

        const { regions } = await warden.ready();
        const { works, rungs } = await warden.capability();

        assert.equal(works, true);
        assert.deepEqual(regions[0]!.unlendable, null);
        assert.equal(rungs.find((rung) => rung.works)!.error, 0);
        assert.equal((await warden.export({ region: 0, ranges: [page(0)] })).error, 0);
      },
    },
    {
      name: "an I/O BAR and the MSI-X table are refused",
      async run() {
        await using warden = startOn(RNG);
        const { regions } = await warden.ready();

        const io = regions.find(({ unlendable }) => unlendable === "io-ports");
        const table = regions.find(({ unlendable }) => unlendable === "msix-table");

        const refusedIo = await warden.export({ region: io!.index, ranges: [page(0)] });
        const refusedTable = await warden.export({ region: table!.index, ranges: [page(0)] });
        assert.deepEqual([refusedIo.error, refusedTable.error], [EINVAL, EPERM]);
        assert.match(refusedIo.words, /I\/O BAR/);
        assert.match(refusedTable.words, /MSI-X table/);
      },
    },
    {
      name: "a second warden on the same device says that somebody has it open",
      async run() {
        await using first = startOn(IVSHMEM);
        await first.ready();

        const { status, errors } = await endOf(startOn(IVSHMEM));

        assert.equal(status, 1);
        assert.match(errors, /open/);
      },
    },
    {
      name: "a device that is not there, or bound to no VFIO driver, is refused with what to do",
      async run() {
        const missing = await endOf(new Warden(build, { device: ["--device", "0000:77:00.0"] }));
        const host = await endOf(new Warden(build, { device: ["--device", "0000:00:00.0"] }));

        assert.deepEqual([missing.status, host.status], [1, 1]);
        assert.match(missing.errors, /there is no PCI device/);
        assert.match(host.errors, /lendbuf device bind 0000:00:00.0/);
      },
    },
    ...part("bus mastering is off unless it was asked for", "bus-master"),
    ...part("a copy of the device's fd keeps its end unproven until it is closed", "leaked-device"),
  ];
}

/** With closing the device as the only rung. */
function deviceWideCases(start: () => Warden): Case[] {
  /** What the kernel answers while somebody else has the device open. */
  const stillOpen = async (warden: Warden) =>
    (await warden.ready()).access === "cdev" ? { error: EINVAL, errno: "EINVAL" } : { error: EBUSY, errno: "EBUSY" };
  const lend = async (warden: Warden) => [
    await warden.export(),
    await warden.export({ ranges: [page(0x8000)] }),
    await warden.export({ readOnly: true }),
  ];
  return [
    {
      name: "closing: what would end others too is not tried without leave",
      async run() {
        await using warden = start();
        const [first, , third] = await lend(warden);

        const entries = await warden.revoke(first!.id, third!.id);

        for (const { method, error, safe } of entries)
          assert.deepEqual({ method, error, safe }, { method: null, error: EBUSY, safe: false });
        assert.equal((await warden.export({ ranges: [page(0xa000)] })).error, 0);
      },
    },
    {
      name: "closing: with leave every export ends, proven by opening anew; the warden goes and the next one has the device",
      async run() {
        await using warden = start();
        const lent = await lend(warden);

        const entries = await warden.revokeDeviceWide([lent[0]!.id], 3);
        const why = (await warden.lost()).words;
        const { status } = await warden.ended;

        assert.deepEqual(entries.map(({ id }) => id).sort(), lent.map(({ id }) => id).sort());
        for (const { method, error, safe } of entries)
          assert.deepEqual({ method, error, safe }, { method: "device-close", error: 0, safe: true });
        assert.match(why, /given up to revoke/);
        assert.equal(status, 0);
        await using next = start();
        assert.equal((await next.export()).error, 0);
      },
    },
    {
      name: "closing: a copy of the device that somebody took keeps all unproven until it is closed",
      async run() {
        await using warden = start();
        const lent = await lend(warden);
        await using thief = new Holder(lent[0]!.fd);
        assert.equal(await thief.do(`leak ${warden.pid}`), "ok");
        const ids = lent.map(({ id }) => id);
        const { error: unproven } = await stillOpen(warden);

        for (const entries of [await warden.revoke(...ids), await warden.revokeDeviceWide(ids.slice(1), 3)])
          for (const { error, safe } of entries) assert.deepEqual({ error, safe }, { error: unproven, safe: false });
        const refused = await warden.export({ ranges: [page(0xb000)] });
        await thief.do("unleak");
        const entries = await warden.revokeDeviceWide(ids.slice(0, 1), 3);

        assert.deepEqual({ fd: refused.fd, error: refused.error }, { fd: -1, error: ENODEV });
        for (const { error, safe } of entries) assert.deepEqual({ error, safe }, { error: 0, safe: true });
        assert.equal((await warden.ended).status, 0);
      },
    },
    {
      name: "closing: the last word names what a stolen copy of the device keeps alive",
      async run() {
        await using warden = start();
        const lent = await lend(warden);
        await using thief = new Holder(lent[0]!.fd);
        assert.equal(await thief.do(`leak ${warden.pid}`), "ok");

        const { errno } = await stillOpen(warden);

        const { lastWord } = await warden.end();

        const named = lastWord.unrevoked.sort((a, b) => a.id - b.id);
        assert.deepEqual(
          named,
          lent.map(({ id }) => ({ id, errno })),
        );
      },
    },
  ];
}

/** For root: the device is taken away while it is lent. */
export function unplugCases(): Case[] {
  return [
    {
      name: "a device that is taken away while it is lent: its exports end, the agent hears why, and the unbind goes on",
      async run() {
        await using warden = startOn(IVSHMEM);
        const { fd } = await warden.export();
        await using holder = new Holder(fd);
        const mapped = (await holder.do("map-writable")) === "ok";
        const address = addressOf(IVSHMEM);

        execFileSync("sh", ["-c", `echo ${address} > /sys/bus/pci/drivers/vfio-pci/unbind &`]);
        const { words } = await warden.lost();
        const { status } = await warden.ended;

        assert.match(words, /wants the device back/);
        assert.equal(status, 0);
        if (mapped) assert.equal(await holder.do("store 0 1"), "EFAULT");
        execFileSync("sh", ["-c", `echo ${address} > /sys/bus/pci/drivers/vfio-pci/bind`]);
        assert.deepEqual(JSON.parse(readFileSync(warden.lastWordPath, "utf8")).unrevoked, []);
      },
    },
  ];
}
