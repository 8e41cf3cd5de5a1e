import { BUFFER_NAME, MAX_NAME_LENGTH } from "@lendbuf/shared/buffer";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import type { Caller, Core } from "../core.ts";

/** As the caller was told. */
interface Refusal {
  code: string;
  message: string;
}

const MAX_IDS = 32;
/** Of what only reads, these tell of somebody who tried what he may not. */
const DENIALS = new Set(["NOT_ALLOWED", "NOT_YOURS", "UNAUTHORIZED"]);

/** A call that was refused: into the audit, where it would have changed something or was not allowed. */
export function noteRefused(
  core: Core,
  caller: Caller,
  path: string,
  { code, message }: Refusal,
  input: unknown,
): void {
  const { account } = caller;
  const call = callOf(path);
  if (PROCEDURES[call as keyof typeof PROCEDURES] !== "mutation" && !DENIALS.has(code))
    return core.refusals.count(code);
  core.refusals.note({ account, actor: caller.actor, call, code, message, ...subjectOf(call, input) });
}

/** Somebody who did not get as far as a call. `address`: where he came from, if he did not come from this host's own socket. */
export function noteTurnedAway(core: Core, address: string, path: string, { code, message }: Refusal): void {
  core.refusals.note({ account: null, actor: `nobody ${address}`, call: callOf(path), code, message });
}

/** What is asked for besides methods. */
const OTHER_CALLS = new Set(["connect", "login", "metrics"]);

/** What a caller made up must not become a kind of its own. */
function callOf(path: string): string {
  return Object.hasOwn(PROCEDURES, path) || OTHER_CALLS.has(path) ? path : "(unknown)";
}

function subjectOf(call: string, input: unknown): { buffer?: string; ids?: number[] } {
  if (typeof input !== "object" || input === null) return {};
  const { buffer, name, id, ids = id === undefined ? undefined : [id] } = input as Record<string, unknown>;
  const named = call.startsWith("buffers.") ? name : buffer;
  const isName = typeof named === "string" && named.length <= MAX_NAME_LENGTH && BUFFER_NAME.test(named);
  const numbers = Array.isArray(ids) ? ids.slice(0, MAX_IDS).filter((one) => Number.isSafeInteger(one)) : [];
  return { ...(isName && { buffer: named }), ...(numbers.length > 0 && { ids: numbers as number[] }) };
}
