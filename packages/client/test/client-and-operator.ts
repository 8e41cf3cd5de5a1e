// A real agent for a file's tests, an operator, and a client that is new for each of them.
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { type AgentProcess, startAgent } from "../../../apps/agent/test/harness.ts";
import type { Connection } from "../src/connection.ts";

export const BUFFER = "sim0/ddr";

interface Here {
  agent: AgentProcess;
  /** The client's. */
  connection: Connection;
  operator: Connection;
}

/** Call it once, at the file's beginning; its members are there when a test runs. After each test nobody has anything. */
export function clientAndOperator(): Here {
  const here = {} as Here;

  beforeAll(async () => {
    here.agent = await startAgent();
    here.operator = await here.agent.connect();
  });

  beforeEach(async () => {
    here.connection = await here.agent.connect();
  });

  afterEach(async () => {
    here.connection.close();
    await here.operator.call("delegations.revokeAll");
    const next = await here.operator.borrow(BUFFER, { wait: "10s" }); // its turn comes when nobody has it any more
    await next.release();
  });

  afterAll(() => here.agent?.stop());
  return here;
}
