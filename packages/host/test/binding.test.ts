import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bind, planBind } from "../src/binding/bind.ts";
import { rulePath } from "../src/binding/udev-rule.ts";
import { planUnbind, unbind } from "../src/binding/unbind.ts";
import { HostFiles } from "../src/host-files.ts";
import { pciFunction } from "../src/pci-function.ts";
import { HostTree } from "./host-tree.ts";
import { KernelInTree } from "./kernel-in-tree.ts";

const CARD = "0000:01:00.0";
const OTHER = "0000:01:00.1";
const onSlow = () => {};

let tree: HostTree;
beforeEach(() => {
  tree = new HostTree().pci("0000:00:17.0", { driver: "ahci", group: 3 }).disk("sda", "0000:00:17.0");
});
afterEach(() => tree[Symbol.dispose]());

const plan = (...bdfs: string[]) => planBind(new HostFiles(tree.root), bdfs);
const lossesOf = (bdf: string) => plan(bdf)[0]!.losses;

describe("what a bind takes away", () => {
  it("is nothing where nobody uses the function", () => {
    tree.pci(CARD, { driver: "ixgbe", group: 7 });

    expect(lossesOf(CARD)).toEqual({
      ...{ interfaces: [], disks: [], mounts: [], virtualFunctions: [], isScreen: false, vital: null },
    });
  });

  it("are its interfaces, its disks, what is mounted of them, its virtual functions and the screen", () => {
    tree
      .pci(CARD, { driver: "ixgbe", group: 7 })
      .pci("0000:01:10.0", { driver: "ixgbevf", virtualOf: CARD })
      .interface("eth1", CARD)
      .interface("eth1v0", "0000:01:10.0")
      .disk("sdb", CARD, 9)
      .file(`/sys/bus/pci/devices/${CARD}/boot_vga`, "1\n")
      .mounts(["/", "8:2", "ext4", "/dev/sda2"], ["/my\\040data", "9:2", "xfs", "/dev/sdb2"]);

    expect(lossesOf(CARD)).toEqual({
      interfaces: ["eth1", "eth1v0"],
      disks: ["sdb"],
      mounts: ["/my data"],
      virtualFunctions: ["0000:01:10.0"],
      isScreen: true,
      vital: null,
    });
  });
});

describe("a bind is refused, and changes nothing,", () => {
  const refusal = (...bdfs: string[]) => {
    try {
      plan(...bdfs);
    } catch (error) {
      return error as Error & { code: string };
    }
    throw new Error("It was not refused.");
  };

  it("where there is no such function", () => {
    expect(refusal(CARD)).toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining("lspci -D") });
  });

  it("without an IOMMU group", () => {
    tree.pci(CARD, { driver: "ixgbe" });

    expect(refusal(CARD)).toMatchObject({ code: "UNSUPPORTED", message: expect.stringContaining("lendbuf doctor") });
  });

  it.each([["/"], ["/boot"], ["/boot/efi"], ["/usr"], ["/var"]])("of the disk that carries %s", (at) => {
    tree.mounts(["/", "0:21", "tmpfs", "tmpfs"], [at, "8:2", "ext4", "/dev/sda2"]);

    expect(refusal("0000:00:17.0")).toMatchObject({
      code: "NOT_ALLOWED",
      message: `This host needs 0000:00:17.0: a disk of it carries ${at}. Nothing was changed. Lend another device.`,
    });
  });

  it("of a disk under LVM over LUKS over a partition that carries /", () => {
    tree
      .stacked("dm-0", "253:0", ["sda2"])
      .stacked("dm-1", "253:1", ["dm-0"])
      .mounts(["/", "253:1", "ext4", "/dev/mapper/vg-root"]);

    expect(refusal("0000:00:17.0").message).toContain("carries /.");
  });

  it("of the second disk of the btrfs that carries /", () => {
    tree
      .pci(CARD, { driver: "ahci", group: 7 })
      .disk("sdb", CARD, 9)
      .link("/sys/fs/btrfs/0001/devices/sda2", "/sys/class/block/sda2")
      .link("/sys/fs/btrfs/0001/devices/sdb2", "/sys/class/block/sdb2")
      .mounts(["/", "0:25", "btrfs", "/dev/sda2"]);

    expect(refusal(CARD).message).toContain("carries /.");
  });

  it("of an NVMe controller behind whose multipath / lies", () => {
    const subsystem = "/sys/devices/virtual/nvme-subsystem/nvme-subsys0";
    tree
      .pci(CARD, { driver: "nvme", group: 7 })
      .folder(`/sys/devices/pci0000:00/${CARD}/nvme/nvme0`)
      .link(`${subsystem}/nvme0`, `/sys/devices/pci0000:00/${CARD}/nvme/nvme0`)
      .blockDevice("nvme0n1", `${subsystem}/nvme0n1`, "259:0")
      .mounts(["/", "259:0", "ext4", "/dev/nvme0n1"]);

    expect(refusal(CARD).message).toContain("carries /.");
  });

  it("of a disk with swap on it", () => {
    tree
      .mounts(["/", "0:21", "nfs", "server:/root"])
      .file("/proc/swaps", "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2  partition\t1\t0\t-2\n");

    expect(refusal("0000:00:17.0").message).toContain("carries [swap]");
  });

  it("of any disk where it cannot be told on which / lies", () => {
    tree.mounts(["/", "0:27", "zfs", "rpool/ROOT/debian"]);

    expect(refusal("0000:00:17.0").message).toContain("on which disk / lies cannot be told");
  });

  it("of the card that the default route leads through", () => {
    tree.pci(CARD, { driver: "ixgbe", group: 7 }).interface("eth1", CARD).defaultRoute("eth1");

    expect(refusal(CARD)).toMatchObject({ code: "NOT_ALLOWED", message: expect.stringContaining("interface eth1") });
  });

  it("of a card under a VLAN on a bridge that the default route leads through", () => {
    tree
      .pci(CARD, { driver: "ixgbe", group: 7 })
      .interface("eth1", CARD)
      .upper("br0", "eth1")
      .upper("br0.5", "br0")
      .defaultRoute("br0.5");

    expect(refusal(CARD).message).toContain("interface eth1");
  });

  it("of the card of IPv6's default route", () => {
    const none = "0".repeat(32);
    tree
      .pci(CARD, { driver: "ixgbe", group: 7 })
      .interface("eth1", CARD)
      .file(
        "/proc/1/net/ipv6_route",
        `${none} 00 ${none} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n${none} 00 ${none} 00 ${none} ffffffff 00000001 00000000 00200200       lo\n`,
      );

    expect(refusal(CARD).message).toContain("interface eth1");
  });

  it("of a card whose virtual function carries the default route", () => {
    tree
      .pci(CARD, { driver: "ixgbe", group: 7 })
      .pci("0000:01:10.0", { driver: "ixgbevf", virtualOf: CARD })
      .interface("eth1v0", "0000:01:10.0")
      .defaultRoute("eth1v0");

    expect(refusal(CARD).message).toContain("interface eth1v0");
  });

  it("of half an IOMMU group, and says how to take all of it", () => {
    tree.pci(CARD, { driver: "ixgbe", group: 7 }).pci(OTHER, { driver: "ixgbe", group: 7 });
    tree.pci("0000:00:1c.0", { driver: "pcieport", group: 7 }).pci("0000:00:1d.0", { group: 7 });

    expect(refusal(CARD)).toMatchObject({
      code: "IN_USE",
      message: expect.stringContaining(`with ${OTHER} (driver ixgbe), and`),
    });
    expect(refusal(CARD).message).toContain(`lendbuf device bind ${CARD} ${OTHER}`);
    expect(plan(CARD, OTHER)).toHaveLength(2);
  });
});

describe("bind and unbind", () => {
  const native = { [CARD]: "ixgbe", [OTHER]: "ixgbe" };
  const functions = (host: HostFiles) => [CARD, OTHER].map((bdf) => pciFunction(host, bdf)!);
  const state = () => {
    const host = new HostFiles(tree.root);
    const override = (bdf: string) => host.read(`/sys/bus/pci/devices/${bdf}/driver_override`) || "(null)";
    return [CARD, OTHER].map((bdf) => ({
      driver: pciFunction(host, bdf)!.driver,
      override: override(bdf),
      rule: host.read(rulePath(bdf)),
    }));
  };
  const bound = { driver: "vfio-pci", override: "vfio-pci" };
  const free = { driver: "ixgbe", override: "(null)", rule: undefined };

  beforeEach(() => {
    tree.pci(CARD, { driver: "ixgbe", group: 7 }).pci(OTHER, { driver: "ixgbe", group: 7 });
  });

  it("take and give back a whole group, with a rule for each member", async () => {
    const host = new KernelInTree(tree.root, native);

    await bind(host, functions(host), { persist: true, onSlow });

    expect(state()).toMatchObject([bound, bound]);
    const rule = readFileSync(join(tree.root, rulePath(CARD)), "utf8");
    expect(rule).toContain(`KERNEL=="${CARD}", ATTR{vendor}=="0x8086", ATTR{device}=="0x10fb"`);

    await unbind(host, planUnbind(host, [CARD, OTHER]), { onSlow });

    expect(state()).toEqual([free, free]);
    expect(existsSync(join(tree.root, rulePath(CARD)))).toBe(false);
  });

  it("leave no rule unless they are asked to", async () => {
    const host = new KernelInTree(tree.root, native);

    await bind(host, functions(host), { persist: false, onSlow });

    expect(state().map(({ rule }) => rule)).toEqual([undefined, undefined]);
  });

  // Each call is one that the kernel can refuse: 3 for each function, 1 for each rule.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("are undone when the bind's call %i fails", async (failAt) => {
    const host = new KernelInTree(tree.root, native, failAt);

    const failed = bind(host, functions(host), { persist: true, onSlow });

    await expect(failed).rejects.toMatchObject({ code: "EIO", message: expect.stringContaining("All is as it was") });
    expect(state()).toEqual([free, free]);
  });

  it("have no further call that could fail", async () => {
    const host = new KernelInTree(tree.root, native, 9);

    await bind(host, functions(host), { persist: true, onSlow });

    expect(host.calls).toBe(8);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("are undone when the unbind's call %i fails", async (failAt) => {
    const before = new KernelInTree(tree.root, native);
    await bind(before, functions(before), { persist: true, onSlow });
    const taken = state();
    const host = new KernelInTree(tree.root, native, failAt);

    const failed = unbind(host, planUnbind(host, [CARD, OTHER]), { onSlow });

    await expect(failed).rejects.toMatchObject({ code: "EIO", message: expect.stringContaining("All is as it was") });
    expect(state()).toEqual(taken);
  });

  it("fail, and are undone, where the kernel chooses another driver", async () => {
    const host = new KernelInTree(tree.root, native);
    tree.file("/sys/bus/pci/drivers/vfio-pci/bind", "");
    const stubborn = Object.assign(Object.create(host), {
      write: (path: string, text: string) =>
        path.endsWith("drivers_probe") ? Promise.resolve() : host.write(path, text),
    });

    const failed = bind(stubborn, functions(host).slice(0, 1), { persist: false, onSlow });

    await expect(failed).rejects.toThrow("the kernel chose no driver. All is as it was before.");
    expect(state()[0]).toEqual(free);
  });

  it("say what could not be undone", async () => {
    const host = new KernelInTree(tree.root, native);
    const broken = Object.assign(Object.create(host), {
      write: (path: string, text: string) =>
        path.endsWith("driver_override") ? Promise.reject(new Error("gone")) : host.write(path, text),
    });

    const failed = bind(broken, functions(host).slice(0, 1), { persist: false, onSlow });

    await expect(failed).rejects.toThrow(`Not all could be undone: reserve ${CARD} for vfio-pci (gone)`);
  });

  it("unbind of what another driver has is refused", () => {
    expect(() => planUnbind(new HostFiles(tree.root), [CARD])).toThrow("is bound to ixgbe, not to vfio-pci");
  });

  it("unbind names who has the function open", () => {
    tree.pci("0000:02:00.0", { driver: "vfio-pci", group: 9 }).file("/proc/4242/comm", "qemu-system-x86\n");
    tree.folder("/proc/4242/fd").folder("/proc/4243/fd");
    symlinkSync("/dev/vfio/9", join(tree.root, "/proc/4242/fd/7"));
    symlinkSync("/dev/vfio/7", join(tree.root, "/proc/4243/fd/7"));

    const [giving] = planUnbind(new HostFiles(tree.root), ["0000:02:00.0"]);

    expect(giving?.openers).toEqual([{ pid: 4242, command: "qemu-system-x86" }]);
  });
});
