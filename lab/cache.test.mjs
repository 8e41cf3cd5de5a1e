import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

const MODULE = new URL("cache.mjs", import.meta.url).href;

let folder;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-cache-"));
  vi.resetModules();
  vi.stubEnv("LENDBUF_LAB_CACHE", folder);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Puts "thing-1" with a file in it into the cache, if it is not there. */
async function put(make) {
  const { cached, putIntoCache } = await import("./cache.mjs");
  return putIntoCache("thing", () => cached("thing-").at(-1), make);
}

function write(text) {
  return async (work) => {
    writeFileSync(join(work, "result/text"), text);
    return "thing-1";
  };
}

it("makes a thing once, also where several ask for it at once", async () => {
  const [first, second] = await Promise.all([put(write("first")), put(write("second"))]);

  expect(second).toBe(first);
  expect(basename(first)).toBe("thing-1");
  expect(readFileSync(join(first, "text"), "utf8")).toMatch(/first|second/);
  expect(readdirSync(folder)).toEqual(["thing-1"]);
});

it("keeps nothing of what could not be made", async () => {
  await expect(
    put(async (work) => {
      await write("half")(work);
      throw new Error("no room");
    }),
  ).rejects.toThrow("no room");

  expect(readdirSync(folder)).toEqual([]);
});

it("takes nothing half from a process that was killed while it made it, and clears it away", async () => {
  const script = `
    const { putIntoCache } = await import(${JSON.stringify(MODULE)});
    await putIntoCache("thing", () => undefined, () => { console.log("making"); return new Promise(() => setInterval(() => {}, 1000)); });`;
  const killed = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.making-thing-/)]);

  const made = await put(write("whole"));

  expect(existsSync(join(made, "text"))).toBe(true);
  expect(readdirSync(folder)).toEqual(["thing-1"]);
});

it("answers the newest version last", async () => {
  const { byVersion } = await import("./cache.mjs");

  expect(["7.10.1", "7.9.2", "7.9.10"].sort(byVersion)).toEqual(["7.9.2", "7.9.10", "7.10.1"]);
});
