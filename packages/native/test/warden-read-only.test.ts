import { chmodSync, copyFileSync, mkdtempSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Build, builds } from "./warden-builds.ts";
import { Holder } from "./warden-holder.ts";
import { Warden } from "./warden-process.ts";

const NOBODY = 65_534;
const isRoot = process.getuid!() === 0;

/** Another user may not be able to reach the build where it lies. */
function copyForAll(build: Build): Build {
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-build-"));
  chmodSync(folder, 0o755);
  const program = join(folder, "lendbuf-warden");
  copyFileSync(build.command.at(-1)!, program);
  return { ...build, command: [...build.command.slice(0, -1), program] };
}

const attackers = [
  { who: "the agent's own user", uid: isRoot ? NOBODY : undefined, needsRoot: false },
  { who: "root", uid: undefined, needsRoot: true },
];

describe.each(builds)("a read-only export ($name)", (build) => {
  for (const { who, uid, needsRoot } of attackers) {
    const isHere = !needsRoot || isRoot;
    it.skipIf(!isHere)(`cannot be written by ${who}${isHere ? "" : " (skipped: run the tests as root)"}`, async () => {
      await using warden = new Warden(uid === undefined ? build : copyForAll(build), uid === undefined ? {} : { uid });
      const { fd } = await warden.export({ readOnly: true });
      await using holder = new Holder(fd, uid === undefined ? {} : { uid });

      const asReceived = await holder.doAll("pwrite", "map-writable", "map-readable", "make-writable", "punch", "seal");
      const reopen = await holder.do("reopen /proc/self/fd/3");
      const reopened = await holder.doAll("pwrite", "map-writable", "punch", "allocate", "seal");

      expect(asReceived).toEqual({
        pwrite: "EBADF",
        "map-writable": "EACCES",
        "map-readable": "ok",
        "make-writable": "EACCES",
        punch: "EBADF",
        seal: "EPERM",
      });
      expect(reopen).toBe("ok");
      expect(reopened).toEqual({
        pwrite: "EPERM",
        "map-writable": "EPERM",
        punch: "EPERM",
        allocate: "ok", // of what is there already: adds pages, changes no byte
        seal: "EPERM",
      });
      expect(readSync(fd, Buffer.alloc(1), 0, 1, 0)).toBe(1);
    });
  }

  it("that its holder truncated hurts nobody else, and is revoked as any", async () => {
    await using warden = new Warden(build);
    const cut = await warden.export({ region: 0, ranges: [{ offset: 0, length: 4096 }], readOnly: true });
    const other = await warden.export({ region: 0, ranges: [{ offset: 0, length: 4096 }], readOnly: true });
    await using holder = new Holder(cut.fd);

    await holder.do("reopen /proc/self/fd/3");
    expect(await holder.do("truncate 0")).toBe("ok");
    expect(await holder.do("truncate 4096")).toBe("EPERM");

    const entries = await warden.revoke(cut.id, other.id);
    expect(entries.map(({ safe, error }) => ({ safe, error }))).toEqual([0, 0].map(() => ({ safe: true, error: 0 })));
  });
});
