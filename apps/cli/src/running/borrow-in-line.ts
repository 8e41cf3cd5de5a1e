import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import type { DelegationsState, Input } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import { describePlace } from "../output/delegation.ts";
import { ownAccount } from "../session.ts";
import type { Follower } from "./follow.ts";

/** Borrows, and tells the place in line while it waits. The place is lost when this process ends. */
export async function borrowInLine(
  agent: Connection,
  request: Input<"delegations.borrow">,
  follower: Follower,
  signal: AbortSignal,
): Promise<Lease> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const lease = agent.borrow(request, { signal });
  if (request.wait) void tellPlace(agent, request.buffer, follower, stop.signal).catch(() => {});
  try {
    return await lease;
  } finally {
    stop.abort();
  }
}

async function tellPlace(agent: Connection, buffer: string, follower: Follower, signal: AbortSignal): Promise<void> {
  let told: Delegation | undefined;
  for await (const state of agent.subscribe("delegations.watch", {}, { signal })) {
    const own = ours(state, buffer);
    if (!own || (told && !isNews(told, own))) continue;
    told = own;
    follower.onState?.(own);
    follower.onNotice(`${buffer} is taken. Delegation ${own.id} waits in line, ${describePlace(own)}.`);
  }
}

/** Another place, or another time than was said: a clock that runs on is none. */
function isNews(told: Delegation, now: Delegation): boolean {
  if (told.position !== now.position || told.expectedAt === null || now.expectedAt === null)
    return told.position !== now.position || told.expectedAt !== now.expectedAt;
  return Math.abs(told.expectedAt - now.expectedAt) > NEWS_MS && now.expectedAt > Date.now();
}

const NEWS_MS = 5000;

/** The newest that waits for this account: the one just asked for, as the request's reply comes only at the end. */
function ours({ items }: DelegationsState, buffer: string): Delegation | undefined {
  const waiting = items.filter((it) => it.state === "waiting" && it.buffer === buffer && it.account === ownAccount());
  return waiting.find(({ client }) => client?.pid === process.pid) ?? waiting.find(({ client }) => client === null);
}
