import type { Calls } from "@lendbuf/client/calls";
import type { Method, Subscription } from "@lendbuf/shared/api";
import { FD_METHODS, PROCEDURES } from "@lendbuf/shared/procedures";
import type { Command } from "commander";
import { jsonObject, method } from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import { printJson, printJsonLine } from "../output/print.ts";
import { untilInterrupted } from "../running/interruption.ts";
import { withAgent } from "../session.ts";

const HELP = `
For scripts, where no other command does it. Input and output are the API's (docs/protocol.md); what goes on prints JSON Lines.

  lendbuf call delegations.get '{"id":17}'
  lendbuf call status.watch`;

export function addCall(program: Command): void {
  program
    .command("call")
    .description("call a method of the API, and print its answer as JSON")
    .argument("<method>", "which, for example delegations.get", method)
    .argument("[input]", "a JSON object (default: {})", jsonObject)
    .addHelpText("after", HELP)
    .action((name: Method, input: object | undefined, _options, command: Command) => {
      if (FD_METHODS.includes(name))
        throw usageFailure(`${name} hands over memory, which needs a program to take it: use lendbuf exec or claim.`);
      return withAgent(command, (agent) =>
        isSubscription(name) ? follow(agent, name, input) : ask(agent, name, input),
      );
    });
}

function isSubscription(name: Method): name is Subscription {
  return PROCEDURES[name] === "subscription";
}

/** Whether the input fits is the agent's to say. */
async function ask(agent: Calls, name: Method, input: object | undefined): Promise<void> {
  await printJson(await agent.call(name as "delegations.get", input as { id: number }));
}

function follow(agent: Calls, name: Subscription, input: object | undefined): Promise<void> {
  return untilInterrupted(async (signal) => {
    const values = agent.subscribe(name as "delegations.follow", input as { id: number }, { signal });
    for await (const value of values) await printJsonLine(value);
  });
}
