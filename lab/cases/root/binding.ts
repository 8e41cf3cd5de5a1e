// `lendbuf device bind` and `unbind` on this kernel: virtio-rng has a driver of its own, edu has none.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { rulePath } from "@lendbuf/host/binding/udev-rule";
import { type Diagnosis, hasProblem } from "@lendbuf/shared/doctor";
import { addressOf, EDU, IVSHMEM, RNG } from "../../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../../guest/agent.ts";
import { lendbuf } from "../../guest/lendbuf.ts";

const USER = 1000;
const device = (bdf: string) => `/sys/bus/pci/devices/${bdf}`;
const driverOf = (bdf: string) =>
  existsSync(`${device(bdf)}/driver`) && basename(readlinkSync(`${device(bdf)}/driver`));
const overrideOf = (bdf: string) => readFileSync(`${device(bdf)}/driver_override`, "utf8").trim();
const busybox = (...args: string[]) => execFileSync("/lab/busybox", args);

test("unbind gives a device back to its own driver, and bind takes it again", async () => {
  const bdf = addressOf(RNG);

  const back = await lendbuf(["device", "unbind", bdf, "--yes"]);

  assert.equal(back.code, 0, back.stderr);
  assert.equal(driverOf(bdf), "virtio-pci");
  assert.equal(overrideOf(bdf), "(null)");

  const taken = await lendbuf(["device", "bind", bdf.slice("0000:".length), "--yes"]);

  assert.equal(taken.code, 0, taken.stderr);
  assert.match(taken.stderr, /goes from virtio-pci to vfio-pci/);
  assert.equal(driverOf(bdf), "vfio-pci");
});

test("a device that has no driver of its own is left without one", async () => {
  const bdf = addressOf(EDU);

  const back = await lendbuf(["device", "unbind", bdf, "--yes"]);
  const without = driverOf(bdf);
  const taken = await lendbuf(["device", "bind", bdf, "--yes"]);

  assert.deepEqual(
    [back.code, without, taken.code, driverOf(bdf)],
    [0, false, 0, "vfio-pci"],
    back.stderr + taken.stderr,
  );
});

/** Where the host has no such folder and its /etc is shown read-only, there is no place for a rule. */
function noPlaceForRules(): string | false {
  if (existsSync("/etc/udev")) return false;
  try {
    accessSync("/etc", constants.W_OK);
    return false;
  } catch {
    return "the host, whose /etc the machine sees, has no /etc/udev: install udev";
  }
}

test("a bind whose last step fails is undone", { skip: noPlaceForRules() }, async () => {
  const bdf = addressOf(RNG);
  const folder = "/etc/udev";
  const isObstacle = !existsSync(folder);
  if (isObstacle) writeFileSync(folder, ""); // else it is the host's, shown read-only
  await lendbuf(["device", "unbind", bdf, "--yes"]);

  const { code, stderr } = await lendbuf(["device", "bind", bdf, "--yes", "--persist"]);
  if (isObstacle) rmSync(folder);

  assert.equal(code, 1);
  assert.match(stderr, /Could not write \/etc\/udev\/rules\.d\/.*All is as it was before\./);
  assert.equal(driverOf(bdf), "virtio-pci");
  assert.equal(overrideOf(bdf), "(null)");
  assert.equal((await lendbuf(["device", "bind", bdf, "--yes"])).code, 0);
});

test("--persist leaves a rule whose command binds the device anew, and unbind removes it", {
  skip: noPlaceForRules(),
}, async () => {
  const bdf = addressOf(RNG);
  if (existsSync("/etc/udev")) busybox("mount", "-t", "tmpfs", "none", "/etc/udev"); // the host's, shown read-only
  await lendbuf(["device", "bind", bdf, "--yes", "--persist"]);
  const rule = readFileSync(rulePath(bdf), "utf8");
  const command = /RUN\+="\/bin\/sh -c '(.*)'"/.exec(rule)![1]!;

  // What a restart does: the kernel's own driver has it, then udev applies the rule.
  writeFileSync(`${device(bdf)}/driver/unbind`, bdf);
  writeFileSync(`${device(bdf)}/driver_override`, "\n");
  writeFileSync("/sys/bus/pci/drivers_probe", bdf);
  const atStart = driverOf(bdf);
  writeFileSync(`${device(bdf)}/driver_override`, "vfio-pci");
  const place = `/devices/${
    execFileSync("/lab/busybox", ["readlink", "-f", device(bdf)], { encoding: "utf8" })
      .trim()
      .split("/sys/devices/")[1]
  }`;
  execFileSync("/bin/sh", ["-c", command.replaceAll("%p", place).replaceAll("%k", bdf)]);

  assert.deepEqual([atStart, driverOf(bdf)], ["virtio-pci", "vfio-pci"]);
  assert.equal((await lendbuf(["device", "unbind", bdf, "--yes"])).code, 0);
  assert.equal(existsSync(rulePath(bdf)), false);
  assert.equal((await lendbuf(["device", "bind", bdf, "--yes"])).code, 0);
});

test("unbind says who has the device, and takes it from an agent that lends it", async () => {
  const bdf = addressOf(IVSHMEM);
  await using agent = await GuestAgent.start();
  const connection = await agent.connect();
  const { id } = (await connection.borrow({ buffer: `${bdf}/bar2` })).delegation;

  const { code, stderr } = await lendbuf(["device", "unbind", bdf, "--yes"]);
  const { reason } = await connection.call("delegations.get", { id });

  assert.equal(code, 0, stderr);
  assert.match(stderr, /lendbuf-warden \(pid \d+\) has it open/);
  assert.equal(reason, "device-lost");

  assert.equal((await lendbuf(["device", "bind", bdf, "--yes"])).code, 0);
  let last = "";
  for await (const { state } of connection.subscribe("delegations.follow", { id })) last = state;
  assert.equal(last, "revoked"); // seen when the device could be opened anew
});

test("what was lent of a device that its own driver has again is proven gone by that", async () => {
  const bdf = addressOf(RNG);
  await using agent = await GuestAgent.start();
  const connection = await agent.connect();
  const rng = (await connection.call("devices.list", {})).find(({ name }) => name === bdf)!;
  const region = rng.regions.find(({ unlendable }) => unlendable === null)!;
  const { id } = (await connection.borrow({ buffer: `${bdf}/bar${region.index}` })).delegation;

  assert.equal((await lendbuf(["device", "unbind", bdf, "--yes"])).code, 0);
  let last = await connection.call("delegations.get", { id });
  for await (const one of connection.subscribe("delegations.follow", { id })) last = one;

  assert.deepEqual([last.state, last.reason], ["revoked", "device-lost"]);
  assert.equal(last.proof!.probe, "the driver virtio-pci has the device now");
  assert.equal((await lendbuf(["device", "bind", bdf, "--yes"])).code, 0);
});

test("the doctor says which node an ordinary user cannot open, and what opens it", async () => {
  const bdf = addressOf(IVSHMEM);
  const places = ["/dev/vfio", "/dev/iommu"].filter((place) => existsSync(place));
  for (const node of busybox("find", ...places, "-type", "c")
    .toString()
    .trim()
    .split("\n")) {
    chownSync(node, 0, 0);
    chmodSync(node, 0o600);
  }

  const { code, stdout } = await lendbuf(["doctor", "--json", "--socket", "/nonexistent"], { uid: USER });
  const diagnosis = JSON.parse(stdout) as Diagnosis;
  const closed = diagnosis.findings.find(({ check, subject }) => check === "access" && subject === bdf)!;

  assert.equal(code, 1);
  assert.equal(closed.severity, "problem");
  assert.match(closed.seen, /closed to this user: uid 0, gid 0, mode 0600/);
  busybox("sh", "-c", closed.command!.replace("sudo chown", "/lab/busybox chown"));
  const after = await lendbuf(["doctor", "--json", "--socket", "/nonexistent"], { uid: USER });
  const mended = (JSON.parse(after.stdout) as Diagnosis).findings.filter(
    ({ check, subject }) => check === "access" && subject === bdf,
  );
  assert.deepEqual(
    mended.map(({ severity }) => severity),
    ["ok"],
  );
  assert.equal(hasProblem(JSON.parse(after.stdout)), true); // the others are closed as before
});
