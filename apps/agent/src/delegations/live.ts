import type {
  Access,
  Delegation,
  EndReason,
  Method,
  Proof,
  Revocation,
  Share,
  State,
} from "@lendbuf/shared/delegation";
import type { Capability } from "@lendbuf/shared/device";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Buffer } from "../buffers/buffer.ts";
import { turnOf } from "../buffers/turns.ts";
import type { Deadline } from "../clock/deadlines.ts";
import type { Signal } from "../clock/signal.ts";
import type { Warden } from "../wardens/warden.ts";

/** The process that claims: a connection to the socket. */
export interface Claimant {
  readonly pid: number;
  readonly uid: number;
  readonly command: string | null;
  /** See wardens/start-time.ts; null where it cannot be told. */
  readonly startTime: number | null;
  readonly isClosed: boolean;
  /** What it has claimed and not lost yet. */
  readonly holding: Set<Live>;
}

/** What the store keeps of a delegation; its JSON is the record, null fields left out. */
export interface Record {
  readonly id: number;
  readonly buffer: string;
  readonly device: string;
  readonly account: string;
  readonly requestedBy: string;
  readonly access: Access;
  readonly share: Share;
  readonly keep: boolean;
  readonly purpose: string | null;
  readonly priority: number;
  readonly idleMs: number | null;
  /** The one that was wished for; from its claim on, the one that it got. */
  exporter: Exporter | null;
  readonly size: number;
  leaseMs: number;
  readonly offerMs: number;
  readonly requestedAt: number;
  state: State;
  reason: EndReason | null;
  offeredAt: number | null;
  claimedAt: number | null;
  endedAt: number | null;
  offerEndsAt: number | null;
  expiresAt: number | null;
  client: Delegation["client"];
  ending: Delegation["ending"];
  revocation: Revocation | null;
  proof: Proof | null;
  /** The delegation that it replaces: see renew.ts. */
  readonly renews: number | null;
  /** The reservation that it was before its time came. */
  readonly reservation: number | null;
  /** Its lease ends then at the latest; wall-clock milliseconds. */
  readonly until: number | null;
  /** Less of a lease will do where a reservation is in the way. */
  readonly shorten: boolean;
  /** Which warden made its export, and under which number; with the boot id, what a restart needs to prove the end. */
  export: {
    warden: string;
    id: number;
    bootId: string;
    method: Method | null;
    /** Of its client's process, which alone may resume it; where an agent may be followed by another. */
    clientStart?: number | null;
  } | null;
}

/** A delegation that has not ended, or not been recorded as ended, as the agent holds it in memory. */
export interface Live {
  readonly record: Record;
  readonly target: Buffer<Live>;
  /** The connection that claimed it; null before that, and while a kept one waits for its account. */
  claimant: Claimant | null;
  exported: LiveExport | null;
  /** It was taken over from another agent, and its client has not come back yet. */
  isAwaited: boolean;
  /** Boot-clock milliseconds. */
  lapsesAt: number | null;
  /** When the client is told that its lease runs out, or the end comes that was announced; the next comes first. */
  noticesAt: number[];
  leaseEndsAt: number | null;
  /** An end that somebody announced. */
  announced: { at: number; reason: EndReason; actor: string } | null;
  deadline: Deadline | null;
  unrecorded: boolean;
  /** Made for those who follow this one. */
  changed: Signal | null;
  /** Who asked for its end; the proof is recorded in their name. */
  endedBy: string;
}

/** An export whose end is not proven. */
export interface LiveExport {
  readonly warden: Warden;
  readonly exporter: Capability;
  readonly id: number;
  /** The agent's copy, which is closed when the end is proven. -1 until it is made, and once it was let go. */
  fd: number;
  /** The copy was closed before the end, which it stood in the way of: see revocation/let-go.ts. */
  isLetGo: boolean;
  /** How often its end was asked for in vain, and when it is again. */
  refusals: number;
  retry: Deadline | null;
}

export function newLive(record: Record, target: Buffer<Live>): Live {
  return {
    record,
    target,
    claimant: null,
    exported: null,
    isAwaited: false,
    lapsesAt: null,
    noticesAt: [],
    leaseEndsAt: null,
    announced: null,
    deadline: null,
    unrecorded: false,
    changed: null,
    endedBy: "agent",
  };
}

/** The whole record behind a stored JSON, which leaves out what is null. */
export function recordOf(stored: Partial<Record>): Record {
  return { ...BLANK, ...stored } as Record;
}

/** A record to which nothing has happened yet. */
export const BLANK = {
  keep: false,
  purpose: null,
  priority: 0,
  idleMs: null,
  exporter: null,
  reason: null,
  offeredAt: null,
  claimedAt: null,
  endedAt: null,
  offerEndsAt: null,
  expiresAt: null,
  client: null,
  ending: null,
  revocation: null,
  proof: null,
  renews: null,
  reservation: null,
  until: null,
  shorten: false,
  export: null,
} satisfies Partial<Record>;

/** What a delegation that takes another's place has of it, whoever asked for that one and for however long. */
export function termsOf({ buffer, device, account, requestedBy, ...rest }: Record) {
  const { access, share, keep, purpose, exporter, size, offerMs, priority, idleMs } = rest;
  const whose = { buffer, device, account, requestedBy };
  return { ...whose, access, share, keep, purpose, exporter, size, offerMs, priority, idleMs };
}

/** Whether it is before the other in line: what was reserved or takes another's place first, then by priority, then the older before the newer. */
export function goesBefore(one: Record, other: Record): boolean {
  const [rank, otherRank] = [rankOf(one), rankOf(other)];
  return rank === otherRank ? one.id < other.id : rank > otherRank;
}

function rankOf({ reservation, renews, priority }: Record): number {
  return reservation === null && renews === null ? priority : Number.POSITIVE_INFINITY;
}

/** How every door shows it. */
export function viewOf(live: Live): Delegation {
  const view = viewOfRecord(live.record);
  view.unrecorded = live.unrecorded;
  view.suspended = isSuspended(live);
  if (view.state === "waiting") {
    const place = live.target.queue.indexOf(live);
    view.position = place + 1;
    view.expectedAt = turnOf(live.target, place);
  }
  return view;
}

/** A window's bytes stay where they are; whatever is the device's own memory goes with it. */
function isSuspended({ exported, target }: Live): boolean {
  return exported !== null && exported.exporter.exporter !== "staged" && target.device.isSuspended;
}

/** How every door shows one that has ended. Field by field: a spread of so many is the slowest part of a borrow. */
export function viewOfRecord(record: Record): Delegation {
  return {
    id: record.id,
    buffer: record.buffer,
    device: record.device,
    account: record.account,
    requestedBy: record.requestedBy,
    state: record.state,
    reason: record.reason,
    access: record.access,
    share: record.share,
    keep: record.keep,
    purpose: record.purpose,
    priority: record.priority,
    idleMs: record.idleMs,
    exporter: record.exporter,
    size: record.size,
    leaseMs: record.leaseMs,
    requestedAt: record.requestedAt,
    offeredAt: record.offeredAt,
    claimedAt: record.claimedAt,
    endedAt: record.endedAt,
    offerEndsAt: record.offerEndsAt,
    expiresAt: record.expiresAt,
    position: null,
    expectedAt: null,
    client: record.client,
    ending: record.ending,
    revocation: record.revocation,
    proof: record.proof,
    suspended: false,
    renews: record.renews,
    reservation: record.reservation,
    until: record.until,
    unrecorded: false,
  };
}
