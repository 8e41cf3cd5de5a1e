import type { Calls } from "@lendbuf/client/calls";
import pkg from "../package.json" with { type: "json" };
import { explain, Failure } from "./failure.ts";

/** What an agent of another version may answer: it does not know the method, or a field of the input, or its answer is not what we know. */
const SUSPECT = ["UNKNOWN_METHOD", "BAD_INPUT", "INTERNAL"];
const PATIENCE_MS = 1000;

/** The error; where the agent's version is another than ours and may be why, with words about that. */
export async function withSkew(agent: Calls, error: unknown): Promise<unknown> {
  const { code, exitCode, message } = explain(error);
  if (error instanceof Failure || !SUSPECT.includes(code)) return error;
  const version = await versionOf(agent);
  const order = version === undefined ? 0 : compare(version, pkg.version);
  if (order === 0) return error;
  const advice =
    order < 0
      ? `older than this lendbuf (${pkg.version}), which may be why: restart the agent with what is installed now`
      : `newer than this lendbuf (${pkg.version}), which may be why: update lendbuf`;
  return new Failure(code, exitCode, `${message} The agent is ${version}, ${advice}.`);
}

async function versionOf(agent: Calls): Promise<string | undefined> {
  try {
    return (await agent.call("status.get", {}, { signal: AbortSignal.timeout(PATIENCE_MS) })).version;
  } catch {
    return undefined;
  }
}

/** Below 0: the first is older. */
function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split(".").map((part) => Number.parseInt(part, 10) || 0));
  const i = a!.findIndex((part, at) => part !== (b![at] ?? 0));
  return i === -1 ? 0 : a![i]! - (b![i] ?? 0);
}
