import type { RevokeSummary, Unfinished } from "@lendbuf/shared/api";
import { isFinal } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { end, ended } from "./end.ts";

/** Whose delegations are to end: those that fit all that is named; all where nothing is. */
export interface PanicScope {
  device?: string | undefined;
  account?: string | undefined;
  tag?: string | undefined;
}

/** The report must fit into a packet. */
const MAX_NAMED = 100;

/**
 * Ends everything in scope at once, and tells what the kernel has not confirmed within `confirmMs`. Waits neither for the store nor, longer
 * than that, for a device that does not answer.
 * @throws AgentError NOT_FOUND: a name that is nobody's must not look like a panic that found nothing left
 */
export async function panic(core: Core, scope: PanicScope, actor: string): Promise<RevokeSummary> {
  checkScope(core, scope);
  const start = core.clock.now();
  const inScope = [...core.ledger.live.values()].filter((live) => isIn(scope, live));
  // What was revoking before has been asked for all that can be asked.
  const lives = inScope.filter(({ record }) => !isFinal(record.state) && record.state !== "revoking");
  end(core, lives, "panic", actor);
  await ended(core, lives, core.config.confirmMs);
  const summary = report(inScope, lives, core.clock.now() - start);
  const { unfinished, ...counts } = summary;
  const detail = { ...scope, ...counts, unfinished: unfinished.map(({ id }) => id) };
  core.store.recordLater({ at: Date.now(), actor, action: "panic", detail });
  core.log.warn({ actor, scope, ...summary }, "panic");
  return summary;
}

function report(inScope: readonly Live[], lives: readonly Live[], durationMs: number): RevokeSummary {
  const count = (state: string) => lives.filter(({ record }) => record.state === state).length;
  const open = inScope.filter(({ record }) => record.state === "revoking");
  return {
    revoked: count("revoked"),
    cancelled: count("cancelled"),
    remaining: open.length,
    unfinished: open.slice(0, MAX_NAMED).map(unfinishedOf),
    durationMs,
  };
}

function unfinishedOf({ record: { id, buffer, device, account, revocation } }: Live): Unfinished {
  return {
    id,
    buffer,
    device,
    account,
    waitingFor: revocation?.waitingFor ?? null,
    lastErrno: revocation?.lastErrno ?? null,
    unproven: revocation?.unproven ?? false,
  };
}

function isIn({ device, account, tag }: PanicScope, { record, target }: Live): boolean {
  return (
    (device === undefined || record.device === device) &&
    (account === undefined || record.account === account) &&
    (tag === undefined || target.definition.tags.includes(tag))
  );
}

function checkScope(core: Core, { device, tag }: PanicScope): void {
  const lives = [...core.ledger.live.values()];
  if (device !== undefined && !core.devices.has(device) && !lives.some(({ record }) => record.device === device))
    throw new AgentError(
      "NOT_FOUND",
      `There is no device "${device}", so nothing was ended. \`lendbuf devices\` lists them.`,
    );
  if (tag !== undefined && !core.buffers.hasTag(tag) && !lives.some((live) => isIn({ tag }, live)))
    throw new AgentError(
      "NOT_FOUND",
      `No buffer has the tag "${tag}", so nothing was ended. \`lendbuf buffers\` lists their tags.`,
    );
}
