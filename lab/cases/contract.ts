// What every client promises (clients/contract), with a real device's memory: lent as it is, and through a window.
import { spawnSync } from "node:child_process";
import { after, afterEach, before, describe, it } from "node:test";
import { CLIENTS } from "../../clients/contract/clients.ts";
import { SCENARIOS, UNMAPPABLE } from "../../clients/contract/scenarios.ts";
import { type Host, type Setting, Stage } from "../../clients/contract/stage.ts";
import { addressOf, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";

const BUFFER = "lab/contract";
const timeout = 240_000 * Number(process.env.LENDBUF_LAB_SLOWNESS ?? 1);
const device = addressOf(IVSHMEM);
const hasPython = spawnSync("python3", ["-V"]).status === 0;

/** One after the other. */
const agents = [await GuestAgent.start(["--simulated", "off"])];
const setting: Setting = {
  root: process.cwd(),
  programs: process.env.LENDBUF_CONTRACT!,
  host: hostOf(agents[0]!),
  buffer: BUFFER,
};
const isMappable = await prepare();

after(async () => {
  for (const agent of agents) await agent[Symbol.asyncDispose]();
});

for (const exporter of ["vfio", "staged"] as const)
  for (const kind of CLIENTS)
    describe(`a ${kind.name} client of ${exporter} memory`, () => {
      const obstacle = obstacleTo(kind.name, exporter);
      if (obstacle) return it("keeps the contract", { skip: obstacle }, () => {});
      const scenarios = exporter === "vfio" && !isMappable ? UNMAPPABLE : SCENARIOS;
      let stage: Stage;

      before(async () => {
        stage = await Stage.set(kind, exporter, setting);
      });

      afterEach(() => stage.clear());

      after(() => stage[Symbol.asyncDispose]());

      for (const { name, play } of scenarios) it(name, { timeout }, () => play(stage));
    });

/** Defines the buffer; answers whether processes can map what is lent of the device itself. */
async function prepare(): Promise<boolean> {
  const operator = await agents[0]!.connect();
  const ranges = [{ offset: 0x780000, length: 0x4000 }];
  await operator.call("buffers.define", { name: BUFFER, device, region: 2, ranges });
  const devices = await operator.call("devices.list", {});
  const { exporters } = devices.find(({ name }) => name === device)!;
  return exporters.find(({ exporter }) => exporter === "vfio")!.mappable;
}

/** The command line has each exporter under one of the kernels. */
function obstacleTo(client: string, exporter: string): string | undefined {
  if (client === "python" && !hasPython) return "this machine has no Python";
  if (client === "command-line" && exporter === "staged" && isMappable)
    return "each of its commands takes an emulated machine seconds: the stock kernel's plays it with windows";
  return undefined;
}

function hostOf(agent: GuestAgent): Host {
  return {
    socket: agent.socket,
    connect: () => agent.connect(),
    crash: () => agent.kill(),
    restart: async () => {
      const next = await agent.restart();
      agents.push(next);
      return hostOf(next);
    },
  };
}
