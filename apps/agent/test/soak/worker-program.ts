// A client that does what it is told, a JSON line each, on the TypeScript client: see worker.ts.
import { createInterface } from "node:readline";
import { connect } from "@lendbuf/client/connect";
import { AgentError, ConnectionLost, Revoked } from "@lendbuf/client/errors";
import type { Lease } from "@lendbuf/client/lease";

interface Command {
  do: "call" | "borrow" | "claim" | "read" | "write" | "forget";
  method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: passed on as it comes
  input?: any;
  handle?: number;
}

const leases: Lease[] = [];

function say(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function touch(lease: Lease, how: "read" | "write"): string {
  try {
    if (how === "read") lease.load8(0);
    else lease.store8(0, 1);
    return "ok";
  } catch (error) {
    if (error instanceof Revoked) return "EFAULT";
    return (error as Error).name;
  }
}

async function obey(command: Command): Promise<object> {
  const lease = leases[command.handle ?? -1];
  if (command.do === "read" || command.do === "write") return { touched: touch(lease!, command.do) };
  if (command.do === "forget") {
    lease!.close();
    return {};
  }
  if (command.do === "call") return { result: await agent.call(command.method as never, command.input as never) };
  const lent = command.do === "borrow" ? await agent.borrow(command.input) : await agent.claim(command.input.id);
  return { result: { delegation: lent.delegation }, handle: leases.push(lent) - 1 };
}

function explain(error: unknown): object {
  if (error instanceof ConnectionLost) return { lost: error.message };
  if (error instanceof AgentError) return { error: { code: error.code, message: error.message } };
  return { error: { code: (error as Error).name, message: (error as Error).message } };
}

const agent = await connect({ path: process.argv[2]! }).catch((error: Error) => {
  say({ lost: error.message });
  process.exit(0);
});
say({ connected: true });
for await (const line of createInterface({ input: process.stdin })) say(await obey(JSON.parse(line)).catch(explain));
process.exit(0);
