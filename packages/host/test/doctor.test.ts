import { chmodSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Capability, Device, Rung } from "@lendbuf/shared/device";
import { type Diagnosis, type Finding, hasProblem, type Severity } from "@lendbuf/shared/doctor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Patient } from "../src/doctor/check.ts";
import { CHECKS, diagnose } from "../src/doctor/diagnose.ts";
import { shorten } from "../src/doctor/shorten.ts";
import { HostFiles } from "../src/host-files.ts";
import { HostTree } from "./host-tree.ts";

const CARD = "0000:01:00.0";
const RELEASE = "7.3.4-amd64";
const CONFIG = `${["VFIO_PCI=m", "VFIO_PCI_DMABUF=y", "VFIO_DEVICE_CDEV=y", "IOMMUFD=m", "UDMABUF=y", "DMABUF_HEAPS=y"].map((line) => `CONFIG_${line}`).join("\n")}\n`;

let tree: HostTree;
beforeEach(() => {
  tree = new HostTree();
});
afterEach(() => tree[Symbol.dispose]());

/** A host on which nothing is in the way. */
function healthy(): HostTree {
  for (const name of ["vfio", "vfio_pci", "vfio_iommu_type1", "iommufd"])
    tree.file(`/sys/module/${name}/initstate`, "live\n");
  return tree
    .file(`/boot/config-${RELEASE}`, CONFIG)
    .folder("/sys/class/iommu/dmar0")
    .pci(CARD, { driver: "vfio-pci", group: 7 })
    .folder(`/sys/bus/pci/devices/${CARD}/vfio-dev/vfio0`)
    .file("/dev/vfio/7", "")
    .file("/dev/vfio/vfio", "")
    .file("/dev/vfio/devices/vfio0", "")
    .file("/dev/iommu", "")
    .file("/dev/udmabuf", "")
    .file("/dev/dma_heap/system", "")
    .file("/proc/self/limits", limits(65_536));
}

const limits = (files: number) =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax locked memory         8388608              8388608              bytes     \nMax open files            1024                 ${files}                 files     \n`;

function examine(patient: Partial<Patient> = {}): Finding[] {
  return diagnose({ files: new HostFiles(tree.root), devices: [], noAgent: null, ...patient }).findings;
}

function find(check: string, subject: string, findings = examine()): Finding {
  const found = findings.find((one) => one.check === check && one.subject === subject);
  if (!found) throw new Error(`No finding ${check} ${subject}`);
  return found;
}

function severities(findings: readonly Finding[]): Severity[] {
  return [...new Set(findings.map(({ severity }) => severity))];
}

const rung = (method: Rung["method"], works: boolean, scope: Rung["scope"] = "buffer"): Rung => ({
  ...{ method, works, scope, errno: works ? null : "ENOTTY", detail: `${method} was tried` },
});

function device(capability: Partial<Capability> | null, more: Partial<Device> = {}): Device {
  return {
    ...{
      name: CARD,
      kind: "vfio",
      description: "",
      state: "ready",
      problem: null,
      regions: [],
      pci: null,
      warden: null,
      access: "cdev",
      suspended: false,
      drained: null,
    },
    exporters: capability
      ? [
          {
            ...{ exporter: "vfio", works: true, detail: "as tried", method: "dma-buf-revoke", scope: "buffer" },
            ...{ rungs: [rung("dma-buf-revoke", true)], mappable: true },
            ...capability,
          },
        ]
      : [],
    ...more,
  };
}

describe("the doctor", () => {
  it("finds nothing in the way of a host on which all is in order", () => {
    healthy();

    const findings = examine({ devices: [device({})] });

    expect(findings.filter(({ severity }) => severity !== "ok")).toEqual([]);
    expect(new Set(findings.map(({ check }) => check))).toEqual(new Set(CHECKS.map(({ name }) => name)));
  });

  it("finds the way to lending blocked on a host that has nothing", () => {
    const diagnosis = diagnose({ files: new HostFiles(tree.root), devices: null, noAgent: "No agent answers." });

    expect(hasProblem(diagnosis)).toBe(true);
    expect(diagnosis.account).toEqual({ uid: process.getuid!(), pid: process.pid, isAgent: false });
  });

  it("has an advice for each finding, and a command for each problem that one solves", () => {
    const worst = [
      device(null, { state: "lost", problem: "gone" }),
      device({ works: false, rungs: [rung("device-close", false)] }),
    ];
    const bare = examine({ devices: null, noAgent: "No agent answers." });
    const ill = [...bare, ...examine({ devices: worst })];
    healthy();

    for (const finding of [...ill, ...examine({ devices: [device({})] })]) {
      for (const words of [finding.subject, finding.seen, finding.means, finding.advice])
        expect(words, JSON.stringify(finding)).toMatch(/\S/);
      if (finding.severity === "ok") expect(finding.command).toBeNull();
    }
  });
});

describe("a diagnosis that is too long for a packet", () => {
  it("keeps what is severest, in its order, and counts what it leaves out", () => {
    const devices = Array.from({ length: 300 }, (_, n) => device({}, { name: `0000:${n}` }));
    const lost = device(null, { name: "0000:lost", state: "lost", problem: "gone" });
    const whole = diagnose({ files: new HostFiles(tree.root), devices: [...devices, lost], noAgent: null });

    const short = shorten(whole, 20_000);

    expect(JSON.stringify(short.findings).length).toBeLessThan(20_001);
    expect(short.leftOut).toBe(whole.findings.length - short.findings.length);
    expect(short.findings).toEqual(whole.findings.filter((finding) => short.findings.includes(finding)));
    const problems = ({ findings }: Diagnosis) => findings.filter(({ severity }) => severity === "problem");
    expect(problems(short)).toEqual(problems(whole));
    expect(shorten(whole, 10_000_000)).toEqual(whole);
  });
});

describe("the kernel", () => {
  it.each([
    ["6.18.44", "problem"],
    ["5.10.0-33-amd64", "problem"],
    ["6.19.0", "ok"],
    ["6.19.0-rc1", "ok"],
    ["7.3.4+deb13-cloud-amd64", "ok"],
  ])("%s: %s", (release, severity) => {
    tree.file("/proc/sys/kernel/osrelease", `${release}\n`);

    expect(find("kernel", "Linux")).toMatchObject({ severity, seen: `Linux ${release}` });
  });

  it.each([
    ["/proc/config.gz", gzipSync(CONFIG)],
    [`/boot/config-${RELEASE}`, CONFIG],
    [`/lib/modules/${RELEASE}/config`, CONFIG],
  ])("tells what it was built with in %s", (path, text) => {
    tree.file(path, text);

    expect(severities(examine().filter(({ check }) => check === "kconfig"))).toEqual(["ok"]);
  });

  it("without CONFIG_VFIO_PCI_DMABUF cannot lend", () => {
    tree.file(
      `/boot/config-${RELEASE}`,
      CONFIG.replace("CONFIG_VFIO_PCI_DMABUF=y", "# CONFIG_VFIO_PCI_DMABUF is not set"),
    );

    expect(find("kconfig", "VFIO_PCI_DMABUF").severity).toBe("problem");
    expect(find("kconfig", "VFIO_PCI").severity).toBe("ok");
  });
});

describe("the IOMMU", () => {
  it("is missing: what to do is told for Intel's", () => {
    tree.file("/proc/cpuinfo", "vendor_id\t: GenuineIntel\n");

    expect(find("iommu", "IOMMU")).toMatchObject({
      severity: "problem",
      advice: expect.stringContaining("intel_iommu=on"),
    });
  });

  it("is switched off on the command line, of which nothing else is told", () => {
    tree.file("/proc/cmdline", "root=/dev/sda password=hunter2 intel_iommu=off\n");

    const { advice, seen } = find("iommu", "IOMMU");

    expect(advice).toBe("Take intel_iommu=off off the kernel's command line and restart.");
    expect(seen).toContain("says intel_iommu=off");
    expect(seen).not.toContain("hunter2");
  });

  it("is there, but VFIO is told to do without", () => {
    healthy().file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");

    expect(find("iommu", "IOMMU").severity).toBe("ok");
    expect(find("iommu", "no-IOMMU mode").severity).toBe("warning");
  });
});

describe("a module", () => {
  it.each([
    ["loaded", "ok", () => tree.file("/sys/module/vfio_pci/initstate", "live\n")],
    [
      "built in",
      "ok",
      () => tree.file(`/lib/modules/${RELEASE}/modules.builtin`, "kernel/drivers/vfio/pci/vfio-pci.ko\n"),
    ],
    [
      "not loaded",
      "warning",
      () => tree.file(`/lib/modules/${RELEASE}/modules.dep`, "kernel/drivers/vfio/pci/vfio-pci.ko.xz: \n"),
    ],
  ] as const)("that is %s: %s", (state, severity, prepare) => {
    prepare();

    expect(find("module", "vfio_pci")).toMatchObject({ severity, seen: expect.stringContaining(state) });
  });

  it("that is missing stops lending where it is needed", () => {
    tree.file(`/lib/modules/${RELEASE}/modules.dep`, "kernel/drivers/vfio/pci/vfio-pci-core.ko: \n");

    // Its driver's folder stands in every tree here, and would tell that it is there.
    expect(find("module", "vfio").severity).toBe("problem");
    expect(find("module", "udmabuf").severity).toBe("note");
  });
});

describe("a device that vfio-pci has", () => {
  it.each([
    ["its own node", [], /own node/],
    ["its group, without iommufd", ["/dev/iommu"], /its group/],
  ])("is opened by %s", (_, missing, words) => {
    healthy();
    for (const path of missing) tree.remove(path);

    expect(find("access", CARD)).toMatchObject({ severity: "ok", means: expect.stringMatching(words) });
  });

  it("cannot be opened where its nodes are missing", () => {
    healthy().remove("/dev/iommu").remove("/dev/vfio/vfio");

    expect(find("access", CARD)).toMatchObject({
      severity: "problem",
      seen: expect.stringContaining("/dev/iommu (not there)"),
    });
  });

  it("shares its group with another driver's", () => {
    healthy().pci("0000:01:00.1", { driver: "ixgbe", group: 7 }).pci("0000:00:1c.0", { driver: "pcieport", group: 7 });

    const finding = find("group", CARD);

    expect(finding).toMatchObject({ severity: "problem", command: "sudo lendbuf device bind 0000:01:00.1" });
    expect(finding.seen).not.toContain("pcieport");
  });

  it("has rungs: those that do not work are notes beside one that does", () => {
    const capability = {
      method: "device-close",
      scope: "device",
      rungs: [rung("dma-buf-revoke", false), rung("device-close", true, "device")],
    } as const;
    const findings = examine({ devices: [device({ ...capability, rungs: [...capability.rungs], mappable: false })] });

    expect(find("rung", `${CARD} vfio dma-buf-revoke`, findings)).toMatchObject({
      severity: "note",
      seen: "ENOTTY: dma-buf-revoke was tried",
    });
    expect(find("rung", `${CARD} vfio device-close`, findings)).toMatchObject({
      severity: "ok",
      means: expect.stringContaining("the one in use"),
    });
    expect(find("rung", `${CARD} mmap`, findings).severity).toBe("warning");
  });

  it("has no rung that works: that is a problem", () => {
    const findings = examine({
      devices: [device({ works: false, method: null, scope: "none", rungs: [rung("device-close", false)] })],
    });

    expect(find("rung", CARD, findings).severity).toBe("problem");
    expect(find("rung", `${CARD} vfio device-close`, findings).severity).toBe("problem");
  });

  it.each([
    ["vfio", "lost", "problem"],
    ["vfio", "starting", "note"],
    ["simulated", "lost", "warning"],
  ] as const)("of kind %s that is %s: %s", (kind, state, severity) => {
    const findings = examine({ devices: [device(null, { kind, state, problem: "the warden is gone" })] });

    expect(find("rung", CARD, findings).severity).toBe(severity);
  });
});

describe("limits and exporters", () => {
  it("few open files are a warning, by the hard limit", () => {
    tree.file("/proc/self/limits", limits(1024));

    expect(find("limit", "open files")).toMatchObject({ severity: "warning", means: expect.stringContaining("462") });
  });

  it("a missing exporter is a note", () => {
    expect(find("exporter", "udmabuf")).toMatchObject({ severity: "note", command: "sudo modprobe udmabuf" });
    expect(find("exporter", "dma-heap").severity).toBe("note");
  });
});

describe.skipIf(process.getuid!() !== 0)("an ordinary user (skipped: run it as root)", () => {
  const asUser = (look: () => void) => {
    process.seteuid!(65_534);
    try {
      look();
    } finally {
      process.seteuid!(0);
    }
  };

  it("is told what it cannot read", () => {
    healthy();
    chmodSync(join(tree.root, `/boot/config-${RELEASE}`), 0o600);
    chmodSync(tree.root, 0o755);

    asUser(() => expect(find("kconfig", "Kconfig").severity).toBe("note"));
    expect(find("kconfig", "VFIO_PCI").severity).toBe("ok");
  });
});
