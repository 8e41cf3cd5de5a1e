import { spawnSync } from "node:child_process";
import { constants, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HostFiles } from "./host-files.ts";

/** A host whose kernel is told what to do: root's. Calls do not block this process, for the kernel may take its time. */
export class HostControl extends HostFiles {
  /** Writes into a file of sysfs, which is there and often cannot be read, in one call. */
  async write(path: string, text: string): Promise<void> {
    const file = await open(join(this.root, path), constants.O_WRONLY);
    try {
      await file.write(text);
    } finally {
      await file.close();
    }
  }

  /** Makes a file anew, whole or not at all. */
  async replace(path: string, text: string): Promise<void> {
    const target = join(this.root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.new`, text, { mode: 0o644 });
    await rename(`${target}.new`, target);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.root, path), { force: true });
  }

  /** @throws what modprobe says */
  async loadModule(name: string): Promise<void> {
    const { status, stderr, error } = spawnSync("modprobe", [name], { encoding: "utf8" });
    if (status !== 0) throw new Error(`modprobe ${name}: ${error?.message ?? stderr.trim()}`);
  }
}
