import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { BenchAgent } from "./agent.ts";
import { ROOT } from "./machine.ts";
import type { Line } from "./table.ts";

const TIMES = 10;
const CLI = join(ROOT, "apps/cli/bin/lendbuf.js");

/** The command line as people run it: a whole process. */
export async function cli(): Promise<Line[]> {
  await using agent = await BenchAgent.start();
  const env = { ...process.env, LENDBUF_SOCKET: agent.socket };
  const run = (...args: string[]) => {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
    return performance.now() - start;
  };
  const status: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    bare.push(run("-e", "0"));
    status.push(run(CLI, "status"));
  }
  return [
    "The command line",
    { what: "lendbuf status", ours: status, beside: { name: "node -e 0", values: bare }, target: "≤ 150 ms" },
  ];
}
