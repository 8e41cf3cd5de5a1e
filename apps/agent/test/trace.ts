import { type AgentProcess, type Bystander, openFileNames, startBystander, until } from "./harness.ts";

/** Tells whether what went on at an agent has left something behind. */
export interface Watch {
  bystander: Bystander;
  /** Throws unless nobody else was disturbed, and agent and wardens have no more files open than at first. */
  expectNoTrace(): Promise<void>;
}

/** A bystander borrows a buffer and is there to stay; what is open from then on is what may be open later. */
export async function watchAgent(agent: AgentProcess, buffer = "sim0/ddr"): Promise<Watch> {
  const bystander = await startBystander(agent, buffer);
  const observer = await agent.connect();
  await until(async () => (await observer.call("status.get")).counts.clients === 2, "only we are connected");
  const processes = [agent.pid, ...agent.wardens];
  const before = new Map(processes.map((pid) => [pid, openFileNames(pid)]));
  return {
    bystander,
    async expectNoTrace() {
      await bystander.check();
      for (const [pid, names] of before) {
        const isClean = () => openFileNames(pid).length <= names.length;
        await until(isClean, "no more files are open than before").catch((cause) => {
          throw new Error(`left open: ${openFileNames(pid).join(", ")}; before: ${names.join(", ")}`, { cause });
        });
      }
    },
  };
}
