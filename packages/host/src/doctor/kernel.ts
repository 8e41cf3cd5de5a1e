import { type Check, fine } from "./check.ts";

export const kernelCheck: Check = {
  name: "kernel",
  look({ files }) {
    const release = files.read("/proc/sys/kernel/osrelease") ?? "unknown";
    const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
    if (major > 6 || (major === 6 && minor >= 19))
      return [
        fine(
          "Linux",
          `Linux ${release}`,
          "It can export BARs of VFIO devices as dma-bufs (6.19 and later). Whether it can also revoke one at a time is tried on each device.",
        ),
      ];
    return [
      {
        subject: "Linux",
        severity: "problem",
        seen: `Linux ${release}`,
        means:
          "It cannot export BARs of VFIO devices as dma-bufs: that began with 6.19. What can be lent of real devices are windows, copied when their holder asks (lendbuf exec --exporter staged).",
        advice: "Install a kernel of 6.19 or later; docs/hardware.md has a table of distributions.",
        command: "uname -r",
      },
    ];
  },
};
