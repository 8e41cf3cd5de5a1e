// An agent for a file's tests of the command line, and a connection of the test's own.
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll } from "vitest";
import { TestAgent } from "./lendbuf.ts";

interface Here {
  agent: TestAgent;
  connection: Connection;
}

/** Call it once, at the file's beginning; its members are there when a test runs. Each test's delegations end with it. */
export function agentAndConnection(): Here {
  const here = {} as Here;

  beforeAll(async () => {
    here.agent = await TestAgent.start();
    here.connection = await connect({ path: here.agent.socket });
  });

  afterEach(() => here.connection.call("delegations.revokeAll"));

  afterAll(async () => {
    here.connection?.close();
    await here.agent?.[Symbol.asyncDispose]();
  });
  return here;
}
