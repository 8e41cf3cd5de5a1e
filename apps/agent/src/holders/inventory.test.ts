import type { Holder } from "@lendbuf/shared/holder";
import { expect, it } from "vitest";
import { dmaBufsIn, matches } from "./inventory.ts";
import type { Found } from "./scans.ts";

const found = (fields: Partial<Found>): Found => ({
  ...{ kind: "holder", dev: 9, ino: 37, pid: 42, uid: 7, command: "capture" },
  ...{ fds: [3], fdCount: 1, mappingCount: 2, isDmaBuf: true, ...fields },
});
const fdinfo = "size:\t4096\ncount:\t5\nexp_name:\tudmabuf\nname:\tring\n";
const kernel = { size: 4096, count: 1, exporter: "drm", name: null };

const look = (all: Found[], fdinfos: [string, string][] = [["9 37", `ino:\t37\n${fdinfo}`]]) => ({
  holders: new Map(all.map((one) => [`${one.dev} ${one.ino}`, [one]])),
  dmaBufs: new Map(fdinfos),
  delegations: new Map([["9 37", 12]]),
});
const holdersOf =
  ({ holders }: ReturnType<typeof look>) =>
  (key: string): Holder[] =>
    (holders.get(key) ?? []).map(({ kind: _kind, dev: _dev, ino: _ino, isDmaBuf: _is, ...rest }) => ({
      ...rest,
      role: null,
    }));

it("joins who holds it, what the kernel says of it, and whose export it is", () => {
  const scan = look([found({})]);
  const bufinfo = [{ ...kernel, inode: 37, attachments: ["0000:00:03.0"] }];

  expect(dmaBufsIn(scan, bufinfo, holdersOf(scan))).toMatchObject([
    {
      ...{ inode: 37, exporter: "udmabuf", name: "ring", size: 4096, count: 5, unseen: 2, total: 1, delegation: 12 },
      attachments: ["0000:00:03.0"],
      holders: [{ pid: 42, command: "capture" }],
    },
  ]);
});

it("has those that only the kernel knows of, and those of which only a mapping is seen", () => {
  const scan = look([found({ ino: 50, fds: [], fdCount: 0, mappingCount: 1 })], []);

  expect(dmaBufsIn(scan, [{ ...kernel, inode: 40, attachments: [] }], holdersOf(scan))).toMatchObject([
    { inode: 40, exporter: "drm", count: 1, unseen: 1, holders: [], attachments: [], delegation: null },
    { inode: 50, exporter: null, count: null, unseen: null, holders: [{ mappingCount: 1 }], attachments: [] },
  ]);
});

it("does not know the attached devices where debugfs cannot be read, and leaves memfds out", () => {
  const scan = look([found({}), found({ ino: 60, isDmaBuf: false })]);

  const dmaBufs = dmaBufsIn(scan, undefined, holdersOf(scan));

  expect(dmaBufs.map(({ inode, attachments }) => [inode, attachments])).toEqual([[37, null]]);
});

it("a search finds names, exporters, commands and devices by their parts, numbers as a whole", () => {
  const scan = look([found({})]);
  const [dmaBuf] = dmaBufsIn(scan, [{ ...kernel, inode: 37, attachments: ["0000:00:03.0"] }], holdersOf(scan));

  for (const words of ["RING", "udma", "capt", "00:03", "37", "42", "12"]) expect(matches(dmaBuf!, words)).toBe(true);
  expect(matches(dmaBuf!, "3")).toBe(true); // of the device
  expect(matches(dmaBuf!, "4")).toBe(false);
});
