// The contract against a real agent with simulated memory: lent as it is, and through a window.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, it } from "vitest";
import { type AgentProcess, startAgent } from "../../../apps/agent/test/harness.ts";
import { CLIENTS } from "../clients.ts";
import { SCENARIOS } from "../scenarios.ts";
import { type Host, type Setting, Stage } from "../stage.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache");
const MAKE = join(ROOT, "clients/contract/make-programs.mjs");
const SANITIZE = ["-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-fsanitize=address,undefined"];
const EXPORTERS = ["memfd", "staged"] as const;

export function playContract(name: string): void {
  const kind = CLIENTS.find((one) => one.name === name)!;

  describe(`a ${name} client`, () => {
    if (name === "python" && spawnSync("python3", ["-V"]).status !== 0)
      return it("keeps the contract", ({ skip }) => skip("python3 is missing: sudo apt-get install python3"));

    const agents: AgentProcess[] = [];
    let setting: Setting;

    beforeAll(async () => {
      mkdirSync(CACHE, { recursive: true });
      const programs = mkdtempSync(join(CACHE, "contract-"));
      execFileSync(process.execPath, [MAKE, programs, ...SANITIZE], { stdio: ["ignore", "ignore", "inherit"] });
      agents.push(await startAgent());
      setting = { root: ROOT, programs, host: hostOf(agents), buffer: "sim0/ddr" };
    }, 120_000);

    afterAll(async () => {
      for (const agent of agents.reverse()) await agent.stop();
      rmSync(setting.programs, { recursive: true });
    }, 60_000);

    describe.each(EXPORTERS)("of %s memory", (exporter) => {
      let stage: Stage;

      beforeAll(async () => {
        stage = await Stage.set(kind, exporter, setting);
      }, 60_000);

      afterEach(() => stage.clear());

      afterAll(() => stage?.[Symbol.asyncDispose](), 60_000);

      it.each(SCENARIOS)("$name", ({ play }) => play(stage), 60_000);
    });
  });
}

/** The last of the agents, which one after the other have the same store and socket. */
function hostOf(agents: AgentProcess[]): Host {
  const agent = agents.at(-1)!;
  return {
    socket: agent.socket,
    connect: () => agent.connect(),
    crash: () => agent.crash(),
    restart: async () => {
      agents.push(await startAgent({ state: agent.state, socket: agent.socket }));
      return hostOf(agents);
    },
  };
}
