import { gunzipSync } from "node:zlib";
import type { HostFiles } from "./host-files.ts";

/** What the running kernel was built with: `y`, `m`, or undefined where the option is not set; undefined where it cannot be read. */
export function kernelConfig(files: HostFiles): { path: string; of(option: string): string | undefined } | undefined {
  const release = files.read("/proc/sys/kernel/osrelease");
  const places = ["/proc/config.gz", `/boot/config-${release}`, `/lib/modules/${release}/config`];
  for (const path of places) {
    const bytes = files.readBytes(path);
    if (!bytes) continue;
    const text = path.endsWith(".gz") ? gunzipSync(bytes).toString("latin1") : bytes.toString("latin1");
    return { path, of: (option) => new RegExp(`^CONFIG_${option}=(.*)$`, "m").exec(text)?.[1] };
  }
  return undefined;
}
