import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { isInstalled } from "./bootstrap.mjs";
import { findCommand, MissingRequirement, requireNode } from "./requirements.mjs";

const START = fileURLToPath(new URL("start.mjs", import.meta.url));
const PLATFORM = "linux x64 ABI 115";

const made = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-bootstrap-"));
  made.push(folder);
  return folder;
}

describe("what npm start asks of the machine", () => {
  it.each(["make", "python3"])("names %s where it is missing, and the command that brings it", (command) => {
    const others = ["g++", "make", "python3"].filter((name) => name !== command);
    const path = temporaryFolder();
    for (const name of others) symlinkSync("/bin/true", join(path, name));

    const { status, stderr } = spawnSync(process.execPath, [START], {
      env: { PATH: path, HOME: process.env.HOME },
      encoding: "utf8",
    });

    expect(status).toBe(1);
    expect(stderr).toContain(`${command} is missing`);
    expect(stderr).toMatch(new RegExp(`apt-get install ${command}\\n`));
  });

  it("names all that is missing at once", () => {
    const { status, stderr } = spawnSync(process.execPath, [START], {
      env: { PATH: "/nonexistent" },
      encoding: "utf8",
    });

    expect(status).toBe(1);
    expect(stderr).toContain("apt-get install g++ make python3\n");
  });

  it("refuses a Node that is too old and another system", () => {
    expect(() => requireNode("20.18.3", "linux")).toThrow(MissingRequirement);
    expect(() => requireNode("18.20.1", "linux")).toThrow("needs Node 20.19");
    expect(() => requireNode("24.0.0", "darwin")).toThrow("runs on Linux");
    expect(() => requireNode("20.19.0", "linux")).not.toThrow();
    expect(() => requireNode("26.0.0", "linux")).not.toThrow();
  });

  it("takes a compiler that the environment names with its arguments", () => {
    const path = temporaryFolder();
    symlinkSync("/bin/true", join(path, "ccache"));

    expect(findCommand("ccache g++", path)).toBe(join(path, "ccache"));
    expect(findCommand(join(path, "ccache"), "")).toBe(join(path, "ccache"));
    expect(findCommand("g++", path)).toBeUndefined();
  });
});

describe("whether npm ci is needed", () => {
  const wanted = {
    "": { name: "monorepo" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/a-win32": { version: "1.0.0", optional: true },
  };

  /** A checkout whose node_modules holds what `installed` says, as npm records it. */
  function checkout({ installed, platform }) {
    const root = temporaryFolder();
    mkdirSync(join(root, "node_modules"));
    writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages: wanted }));
    if (installed)
      writeFileSync(join(root, "node_modules/.package-lock.json"), JSON.stringify({ packages: installed }));
    if (platform) writeFileSync(join(root, "node_modules/.lendbuf-platform"), platform);
    return root;
  }
  const complete = { "node_modules/a": wanted["node_modules/a"] };

  it("is not where npm recorded every package that belongs on this platform", () => {
    expect(isInstalled(checkout({ installed: complete, platform: PLATFORM }), PLATFORM)).toBe(true);
    expect(isInstalled(checkout({ installed: complete }), PLATFORM)).toBe(true);
  });

  it("is in a fresh clone, after the lock file changed, and on another platform or Node", () => {
    const older = { "node_modules/a": { version: "0.9.0", integrity: "sha512-b" } };

    expect(isInstalled(checkout({}), PLATFORM)).toBe(false);
    expect(isInstalled(checkout({ installed: older, platform: PLATFORM }), PLATFORM)).toBe(false);
    expect(isInstalled(checkout({ installed: complete, platform: "linux arm64 ABI 115" }), PLATFORM)).toBe(false);
    expect(isInstalled(checkout({ installed: complete, platform: "linux x64 ABI 137" }), PLATFORM)).toBe(false);
  });
});
