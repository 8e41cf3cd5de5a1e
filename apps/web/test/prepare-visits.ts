import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { type AgentProcess, startAgent } from "../../agent/test/harness.ts";
import { Visitors } from "./visitor.ts";

/** For the tests of a file: an agent and browsers, handed over before the first; and nothing may have surprised their visitors after each. */
export function prepareVisits(take: (prepared: { agent: AgentProcess; visitors: Visitors }) => void): void {
  let agent: AgentProcess | undefined;
  let visitors: Visitors | undefined;

  beforeAll(async () => {
    [agent, visitors] = await Promise.all([startAgent(), Visitors.arrive()]);
    take({ agent, visitors });
  });
  afterEach(async () => {
    expect(await visitors!.leave()).toEqual([]);
  });
  afterAll(async () => {
    await visitors?.[Symbol.asyncDispose]();
    await agent?.stop();
  });
}
