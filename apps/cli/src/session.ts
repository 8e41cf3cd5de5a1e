import type { Connection } from "@lendbuf/client/connection";
import type { Command } from "commander";
import { usageFailure } from "./failure.ts";

/** Options that every command has. */
export interface GlobalOptions {
  json: boolean;
}

/** Which agent is meant. */
interface Where {
  socket?: string;
}

/** Runs `work` with a connection to the agent, which is closed afterwards. */
export async function withAgent<T>(
  command: Command,
  work: (agent: Connection, options: GlobalOptions) => Promise<T>,
): Promise<T> {
  const { json = false, ...where } = command.optsWithGlobals<Where & { json?: boolean }>();
  using agent = await connectTo(where);
  return await work(agent, { json });
}

export async function connectTo({ socket }: Where): Promise<Connection> {
  if (socket === "") throw usageFailure("--socket needs the path of the agent's socket.");
  // Loaded only now: --help and mistyped commands need no native code.
  const { connect } = await import("@lendbuf/client/connect");
  return connect({ path: socket });
}

export const ownAccount = () => `uid:${process.getuid!()}`;
