// A real warden of the simulated device.
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporaryFolder } from "../../test/harness.ts";
import { startWarden } from "./process.ts";
import { Warden } from "./warden.ts";

let folder: string;
let warden: Warden;

beforeAll(async () => {
  folder = temporaryFolder();
  await new Promise<void>((resolve, reject) => {
    const options = { device: "sim0", args: ["--simulated"], stateDirectory: folder, adoptMs: 0 };
    warden = new Warden(startWarden(options), {
      onReady: () => resolve(),
      onRevoked: () => {},
      onGone: (why) => reject(new Error(why)),
    });
  });
});

afterAll(async () => {
  await warden?.close();
  rmSync(folder, { recursive: true });
});

it.each([
  ["suspend", "EOPNOTSUPP", () => warden.suspend(true)],
  ["resume", "EOPNOTSUPP", () => warden.suspend(false)],
  ["sync", "EBADFD", () => warden.sync({ id: 999, offset: 0, length: 4, width: 32, toDevice: false })],
  ["access", "EINVAL", () => warden.access({ region: 99, offset: 0, width: 32, value: null })],
])("names %s as what failed", async (syscall, code, ask) => {
  await expect(ask()).rejects.toMatchObject({ syscall, code, errno: expect.any(Number) });
});
