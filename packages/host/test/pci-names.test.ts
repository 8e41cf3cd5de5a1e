import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HostFiles } from "../src/host-files.ts";
import { pciNames } from "../src/pci-names.ts";

const IDS = `# pci.ids
1af3  Kawasaki LSI
1af4  Red Hat, Inc.
# a remark within
\t1000  Virtio network device
\t\t01de fffb  propolis NIC
\t1110  Inter-VM shared memory
1af5  iWeb Technologies
\t1005  Something else
`;

describe("the names of pci.ids", () => {
  let root: string;
  let files: HostFiles;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "lendbuf-pci-ids-"));
    mkdirSync(join(root, "usr/share/misc"), { recursive: true });
    writeFileSync(join(root, "usr/share/misc/pci.ids"), IDS);
    files = new HostFiles(root);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it.each([
    ["1af4", "1110", "Red Hat, Inc.", "Inter-VM shared memory"],
    ["1af4", "1005", "Red Hat, Inc.", null],
    ["1af5", "1005", "iWeb Technologies", "Something else"],
    ["01de", "fffb", null, null],
  ])("of %s:%s", (vendorId, deviceId, vendor, product) => {
    expect(pciNames(files, vendorId, deviceId)).toEqual({ vendor, product });
  });

  it("are unknown where it is not installed", () => {
    rmSync(join(root, "usr"), { recursive: true });
    expect(pciNames(new HostFiles(root), "1af4", "1110")).toEqual({ vendor: null, product: null });
  });
});
