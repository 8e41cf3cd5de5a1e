// What the doctor says of this kernel and its devices, to an ordinary user who was given them.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { Diagnosis } from "@lendbuf/shared/doctor";
import { addressOf, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";
import { lendbuf } from "../guest/lendbuf.ts";

const isLabKernel = existsSync("/dev/iommu");

test("the doctor finds nothing in the way without an agent, and says what was not tried", async () => {
  const { code, stdout, stderr } = await lendbuf(["doctor", "--json", "--socket", "/nonexistent"]);
  const { account, findings } = JSON.parse(stdout) as Diagnosis;

  assert.deepEqual([findings.filter(({ severity }) => severity === "problem"), stderr], [[], ""]);
  assert.equal(code, 0);
  assert.equal(account.isAgent, false);
  assert.deepEqual(
    findings.filter(({ severity }) => severity === "warning").map(({ check }) => check),
    ["agent"],
  );
  const access = findings.find(({ check, subject }) => check === "access" && subject === addressOf(IVSHMEM));
  assert.match(access!.means, isLabKernel ? /by its own node/ : /by its group/);
});

test("the doctor says of each rung on each device whether it works", async () => {
  await using agent = await GuestAgent.start();

  const { code, stdout } = await lendbuf(["doctor", "--json", "--socket", agent.socket]);
  const { account, findings } = JSON.parse(stdout) as Diagnosis;
  const rung = (what: string) => findings.find(({ subject }) => subject === `${addressOf(IVSHMEM)} ${what}`);

  assert.equal(account.isAgent, true);
  assert.equal(rung("vfio device-close")?.severity, "ok");
  assert.equal(rung("vfio dma-buf-revoke")?.severity, isLabKernel ? "ok" : "note");
  assert.match(rung("vfio dma-buf-revoke")!.seen, isLabKernel ? /faults/ : /ENOTTY/);
  assert.equal(rung("mmap")?.severity, isLabKernel ? undefined : "warning");
  assert.equal(code, findings.some(({ severity }) => severity === "problem") ? 1 : 0);
});
