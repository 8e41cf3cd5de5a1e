import type { Calls } from "@lendbuf/client/calls";
import type { Connection } from "@lendbuf/client/connection";
import type { Command } from "commander";
import { EXIT } from "./exit-codes.ts";
import { Failure, usageFailure } from "./failure.ts";
import { showingProgress, timeoutAfter, unlessAborted } from "./patience.ts";
import { readToken } from "./token-file.ts";
import { withSkew } from "./version-skew.ts";

/** Options that every command has. */
export interface GlobalOptions {
  json: boolean;
  /** Aborts when --timeout is over. */
  timeout: AbortSignal;
}

/** Which agent is meant, as every command may be told. */
export interface Where {
  socket?: string;
  agent?: string;
  tokenFile?: string;
}

interface Given extends Where {
  json?: boolean;
  timeout?: number;
}

/** Runs `work` with an agent, here or elsewhere; the connection is closed afterwards. */
export async function withAgent<T>(
  command: Command,
  work: (agent: Calls, options: GlobalOptions) => Promise<T>,
): Promise<T> {
  const { json = false, timeout: ms, ...where } = command.optsWithGlobals<Given>();
  const timeout = timeoutAfter(ms);
  using agent = await connectTo(where);
  try {
    return await unlessAborted(work(showingProgress(agent), { json, timeout }), timeout);
  } catch (error) {
    throw await withSkew(agent, error);
  }
}

/** The same with an agent of this host: memory is handed over through its socket only. A timeout is for what is waited for, not for how long it is held. */
export async function withAgentHere<T>(
  command: Command,
  work: (agent: Connection, options: GlobalOptions) => Promise<T>,
): Promise<T> {
  const { json = false, timeout, socket, agent: elsewhere } = command.optsWithGlobals<Given>();
  if (elsewhere !== undefined)
    throw new Failure(
      "WRONG_DOOR",
      EXIT.refused,
      `lendbuf ${command.name()} takes memory, which an agent hands over on its own host only. Run it there, without --agent.`,
    );
  using agent = await connectHere(socket);
  try {
    return await work(agent, { json, timeout: timeoutAfter(timeout) });
  } catch (error) {
    throw await withSkew(agent, error);
  }
}

export async function connectTo({ socket, agent, tokenFile }: Where): Promise<Calls> {
  if (agent === undefined && tokenFile === undefined) return connectHere(socket);
  if (agent === undefined || tokenFile === undefined)
    throw usageFailure("--agent and --token-file go together: where the agent is, and the token that lets you in.");
  if (socket !== undefined) throw usageFailure("--socket names an agent here, --agent one elsewhere: leave one out.");
  const token = readToken(tokenFile);
  const { HttpAgent } = await import("@lendbuf/client/http");
  try {
    return new HttpAgent(agent, token);
  } catch (cause) {
    throw usageFailure((cause as Error).message);
  }
}

async function connectHere(socket: string | undefined): Promise<Connection> {
  if (socket === "") throw usageFailure("--socket needs the path of the agent's socket.");
  // Loaded only now: --help and mistyped commands need no native code.
  const { connect } = await import("@lendbuf/client/connect");
  return connect({ path: socket });
}

/** As the agent knows the caller: over HTTP that is the token's account. */
export async function accountOf(agent: Calls): Promise<string> {
  return (await agent.call("sessions.me")).account;
}

export const ownAccount = () => `uid:${process.getuid!()}`;
