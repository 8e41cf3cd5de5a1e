// A real warden of the simulated device.
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isRunning, temporaryFolder } from "../../test/harness.ts";
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

it("that has died takes every order, though nobody knows of its death yet: the loss answers them", async () => {
  let lost: (why: string) => void = () => {};
  const loss = new Promise<string>((resolve) => {
    lost = resolve;
  });
  const mortal = await new Promise<Warden>((resolve) => {
    const options = { device: "sim0", args: ["--simulated"], stateDirectory: folder, adoptMs: 0 };
    const one = new Warden(startWarden(options), {
      onReady: () => resolve(one),
      onRevoked: () => {},
      onGone: (why) => lost(why),
    });
  });
  process.kill(mortal.pid, "SIGKILL");
  while (isRunning(mortal.pid)); // nothing else happens here meanwhile, so no event tells

  expect(mortal.isGone).toBe(false);
  mortal.revoke([1, 2]);
  const range = { offset: 0, length: 4096 };
  const request = { kind: "memfd", region: 2, ranges: [range], readOnly: false } as const;
  const exported = mortal.export(3, request).catch((error: Error) => error.message);
  const accessed = mortal
    .access({ region: 2, offset: 0, width: 32, value: null })
    .catch((error: { code: string }) => error.code);

  expect(await loss).toContain("SIGKILL");
  expect(await exported).toContain("warden is gone");
  expect(await accessed).toBe("DEVICE_LOST");
});
