import { expect, it } from "vitest";
import { parseBufinfo } from "./bufinfo.ts";

const HEAD = "\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n";
const TAIL = "\nTotal 2 objects, 20480 bytes\n";
const row = (name: string, rest: string, inode = "00000037", exporter = "udmabuf") =>
  `00016384\t02000002\t00080007\t00000002\t${exporter}\t${inode}\t${name}\n${rest}`;
const NOBODY = "\tAttached Devices:\nTotal 0 devices attached\n\n";
const EDU = "\tAttached Devices:\n\t0000:00:03.0\nTotal 1 devices attached\n\n";

it("each buffer has its facts and the devices that are attached to it", () => {
  const fence = "\twrite fence:sw_sync timeline seq 7 unsignalled\n";

  const buffers = parseBufinfo(
    `${HEAD}${row("<none>", NOBODY)}${row("ring", fence + EDU, "00000041", "vfio_pci_core")}${TAIL}`,
  );

  expect(buffers).toEqual([
    { inode: 37, exporter: "udmabuf", size: 16_384, count: 2, name: null, attachments: [] },
    { inode: 41, exporter: "vfio_pci_core", size: 16_384, count: 2, name: "ring", attachments: ["0000:00:03.0"] },
  ]);
});

// All that fits into a name: 31 bytes.
it.each([
  "\n\tAttached Devices:\n\tevil",
  "\n0\t0\t0\t0\tdrm\t1\tname\n",
  "a\nTotal 0 devices attached\n\n",
  "\n00016384\t02000002\t00080007\t1",
])("a name that looks like something else is a name: %j", (name) => {
  const buffers = parseBufinfo(`${HEAD}${row(name, EDU)}${row("next", NOBODY, "00000041")}${TAIL}`);

  expect(name.length).toBeLessThanOrEqual(31);
  expect(buffers.map(({ inode, name, attachments }) => ({ inode, name, attachments }))).toEqual([
    { inode: 37, name, attachments: ["0000:00:03.0"] },
    { inode: 41, name: "next", attachments: [] },
  ]);
});

it("a host without dma-bufs has none", () => {
  expect(parseBufinfo(`${HEAD}\nTotal 0 objects, 0 bytes\n`)).toEqual([]);
});
