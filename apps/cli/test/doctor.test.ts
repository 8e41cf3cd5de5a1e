// The doctor and the binding as people run them; what they say of other hosts than this one is tested in packages/host.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diagnosis, hasProblem } from "@lendbuf/shared/doctor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, startOnTerminal, TestAgent } from "./lendbuf.ts";

const NOBODY = 65_534;
const NOWHERE = ["--socket", "/nonexistent/agent.sock"];
const isRoot = process.getuid!() === 0;
const needsRoot = isRoot ? "" : " (skipped: run it as root)";

describe("doctor", () => {
  it.each([process.getuid!(), ...(isRoot ? [NOBODY] : [])])(
    "without an agent looks by itself, as uid %i, says so, and exits by what it found",
    async (uid) => {
      const { code, stdout, stderr } = await run(["doctor", "--json", ...NOWHERE], { uid });
      const diagnosis = JSON.parse(stdout) as Diagnosis;

      expect(stderr).toBe("");
      expect(diagnosis.account).toMatchObject({ uid, isAgent: false });
      expect(diagnosis.findings.find(({ check }) => check === "agent")?.severity).toBe("warning");
      expect(code).toBe(hasProblem(diagnosis) ? 1 : 0);
    },
  );

  it("asks the agent where one runs, of which it knows the devices' rungs", async () => {
    await using agent = await TestAgent.start();

    const { code, stdout } = await agent.run("doctor", "--json");
    const diagnosis = JSON.parse(stdout) as Diagnosis;

    expect(diagnosis.account).toEqual({ uid: process.getuid!(), pid: agent.child.pid, isAgent: true });
    expect(diagnosis.findings.find(({ subject }) => subject === "sim0 memfd ftruncate")?.severity).toBe("ok");
    expect(code).toBe(hasProblem(diagnosis) ? 1 : 0);
  });

  it("says of each finding what to do, and counts them", async () => {
    const { stdout } = await run(["doctor", ...NOWHERE]);

    expect(stdout).toMatch(/^warning {2}agent agent: No agent was asked: No agent answers at \/nonexistent/m);
    expect(stdout).toMatch(/^ {9}Start the agent, then ask again\.\n {9}\$ /m);
    expect(stdout).toMatch(/^\d+ problems?, \d+ warnings?, \d+ notes?, \d+ ok$/m);
  });
});

describe.skipIf(!isRoot)(`device bind and unbind${needsRoot}`, () => {
  const place = "/sys/devices/pci0000:00/0000:01:00.0";
  let root: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "lendbuf-host-"));
    for (const folder of [
      place,
      "/sys/bus/pci/devices",
      "/sys/bus/pci/drivers/ixgbe",
      "/sys/kernel/iommu_groups/7/devices",
    ])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, place, "vendor"), "0x8086\n");
    writeFileSync(join(root, place, "device"), "0x10fb\n");
    symlinkSync("../../../bus/pci/drivers/ixgbe", join(root, place, "driver"));
    symlinkSync("../../../kernel/iommu_groups/7", join(root, place, "iommu_group"));
    symlinkSync("../../../devices/pci0000:00/0000:01:00.0", join(root, "/sys/bus/pci/devices/0000:01:00.0"));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  const bind = (...args: string[]) => run(["device", "bind", "01:00.0", "--root", root, ...args]);

  it("are root's", async () => {
    const { code, stderr } = await run(["device", "bind", "01:00.0", "02:00.0"], { uid: NOBODY });

    expect(stderr).toBe(
      "lendbuf: Which driver has a device is root's to decide: sudo lendbuf device bind 0000:01:00.0 0000:02:00.0\n",
    );
    expect(code).toBe(3);
  });

  it("say what will happen, and do nothing without --yes where there is nobody to ask", async () => {
    const { code, stderr } = await bind();

    expect(stderr).toMatch(
      /^0000:01:00\.0 \(8086:10fb\) goes from ixgbe to vfio-pci:\n {2}- nothing that this host shows/,
    );
    expect(stderr).toContain("Add --yes if that is meant.");
    expect(code).toBe(2);
  });

  it("do nothing when the answer is no", async () => {
    const running = startOnTerminal(["device", "bind", "01:00.0", "--root", root]);
    await running.sees(/Go on\? \[y\/N\]/);
    running.type("n");

    expect(await running.ended).toMatchObject({ code: 1, stdout: expect.stringContaining("Nothing was changed.") });
  });

  it("of a function that is not there exit with 4, as JSON too", async () => {
    const { code, stderr } = await run(["device", "bind", "05:00.0", "--root", root, "--yes", "--json"]);

    expect(JSON.parse(stderr)).toEqual({
      error: { code: "NOT_FOUND", message: expect.stringContaining("0000:05:00.0") },
    });
    expect(code).toBe(4);
  });

  it("unbind of what another driver has exits with 3", async () => {
    expect(await run(["device", "unbind", "01:00.0", "--root", root, "--yes"])).toMatchObject({ code: 3 });
  });

  it("a step that fails exits with 1, and leaves all as it was", async () => {
    mkdirSync(join(root, "/sys/bus/pci/drivers/vfio-pci"), { recursive: true });

    const { code, stderr } = await bind("--yes");

    expect(stderr).toMatch(/Could not unbind 0000:01:00\.0 from ixgbe: ENOENT.*All is as it was before\./);
    expect(code).toBe(1);
    expect(existsSync(join(root, place, "driver"))).toBe(true);
  });
});
