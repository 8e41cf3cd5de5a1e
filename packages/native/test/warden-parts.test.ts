import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Child } from "./node-child.ts";
import { sanitized } from "./warden-builds.ts";

const isRoot = process.getuid!() === 0;

describe.each(sanitized)("of the warden's parts ($name)", ({ parts: [program, ...rest] }) => {
  const run = (...args: string[]) => execFileSync(program!, [...rest, ...args], { encoding: "utf8" }).trim();
  const folder = () => mkdtempSync(join(tmpdir(), "lendbuf-parts-"));

  it("the pool runs a job although a hundred others are stuck, and is small again afterwards", () => {
    expect(run("stuck-jobs")).toBe("ok");
  });

  it("the pool does 100,000 quick jobs with few threads", () => {
    expect(Number.parseInt(run("many-jobs"), 10)).toBeLessThan(20);
  });

  it("the outbox keeps the order when the kernel refuses an fd", () => {
    expect(run("refused-fd")).toBe("ok");
  });

  it("the BARs are told from the PCI configuration: what can be lent, what is prefetchable, the MSI-X table", () => {
    expect(run("pci-bars")).toBe("ok");
  });

  it("ranges of BARs that cannot be lent are refused, each with its errno and words", () => {
    expect(run("bar-ranges")).toBe("ok");
  });

  it("the answers that prove an end are those of each rung, and no others", () => {
    expect(run("safe-answers")).toBe("ok");
  });

  it("a revoke that would end others waits for leave, and is proven only once nobody has the device open", () => {
    expect(run("device-wide")).toBe("ok");
  });

  it("the last word grows with a long list", () => {
    const path = join(folder(), "last-word.json");

    run("long-last-word", path);

    const { complete, unrevoked } = JSON.parse(readFileSync(path, "utf8"));
    expect(complete).toBe(true);
    expect(unrevoked).toEqual(Array.from({ length: 1000 }, (_, i) => ({ id: i + 1, errno: "EBUSY" })));
  });

  it.skipIf(!isRoot)(
    `the last word says nothing rather than half${isRoot ? "" : " (skipped: run as root)"}`,
    async () => {
      const directory = folder();
      const script = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"';
      const path = join(directory, "last-word.json");
      const full = new Child("unshare", [
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        directory,
        program!,
        ...rest,
        "full-disk",
        path,
      ]);
      expect(await full.line()).toBe("ready");
      const inside = join(`/proc/${full.process.pid}/root`, directory);

      expect(existsSync(join(inside, "last-word.json"))).toBe(true);
      expect(() => writeFileSync(join(inside, "filler"), Buffer.alloc(1 << 20))).toThrow("ENOSPC");
      full.process.stdin!.write("\n");

      expect(await full.line()).toBe("ok");
      await full.finish();
    },
  );
});
