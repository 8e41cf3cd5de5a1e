// The life of a delegation: which state may follow which, what each command means in each state, and why one ends.
// This table is the only place that knows; the agent, the command line and the dashboard read it.
import type { Exporter } from "./exporter.ts";

export const STATES = ["waiting", "offered", "active", "revoking", "revoked", "cancelled"] as const;
export type State = (typeof STATES)[number];

/** Why a delegation ended, and from which states that reason can end one. */
export const END_REASONS = {
  operator: ["waiting", "offered", "active"],
  expired: ["active"],
  released: ["active"],
  disconnected: ["waiting", "offered", "active"],
  "handed-over": ["active"],
  idle: ["active"],
  preempted: ["offered", "active"],
  withdrawn: ["waiting", "offered"],
  lapsed: ["waiting", "offered"],
  "no-show": ["offered"],
  drained: ["waiting", "offered", "active"],
  panic: ["waiting", "offered", "active"],
  collateral: ["active"],
  "device-lost": ["waiting", "offered", "active"],
  "export-failed": ["active"],
  "agent-restart": ["active"],
} as const satisfies Record<string, readonly State[]>;
export type EndReason = keyof typeof END_REASONS;

/** `active` may follow `active`: a kept delegation is claimed again, after its old export was revoked. */
export const TRANSITIONS = {
  waiting: ["offered", "cancelled"],
  offered: ["active", "cancelled"],
  active: ["active", "revoking"],
  revoking: ["revoked"],
  revoked: [],
  cancelled: [],
} as const satisfies Record<State, readonly State[]>;

export const COMMANDS = [
  "offer",
  "claim",
  "extend",
  "hand-over",
  "release",
  "revoke",
  "lapse",
  "expire",
  "confirm",
] as const;
export type Command = (typeof COMMANDS)[number];

/** What a command does to a delegation in a state: the state that it leads to, or the refusal's code. */
export const COMMAND_TABLE = {
  offer: {
    waiting: "offered",
    offered: "ENDED",
    active: "ENDED",
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  claim: {
    waiting: "NOT_READY",
    offered: "active",
    active: "active", // only where `keep` is set and nobody holds it: see canClaimAgain
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  extend: {
    waiting: "NOT_READY",
    offered: "NOT_READY",
    active: "active",
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  "hand-over": {
    waiting: "NOT_READY",
    offered: "NOT_READY",
    active: "revoking",
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  // Ending what has ended already is no error: the caller gets the record, which says how it ended.
  release: {
    waiting: "cancelled",
    offered: "cancelled",
    active: "revoking",
    revoking: "revoking",
    revoked: "revoked",
    cancelled: "cancelled",
  },
  revoke: {
    waiting: "cancelled",
    offered: "cancelled",
    active: "revoking",
    revoking: "revoking",
    revoked: "revoked",
    cancelled: "cancelled",
  },
  // An offer that nobody claimed; what waited until the time of its reservation was over.
  lapse: {
    waiting: "cancelled",
    offered: "cancelled",
    active: "ENDED",
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  expire: {
    waiting: "ENDED",
    offered: "ENDED",
    active: "revoking",
    revoking: "ENDED",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
  // The kernel has confirmed that nothing reaches the memory any more.
  confirm: {
    waiting: "ENDED",
    offered: "ENDED",
    active: "ENDED",
    revoking: "revoked",
    revoked: "ENDED",
    cancelled: "ENDED",
  },
} as const satisfies Record<Command, Record<State, State | "ENDED" | "NOT_READY">>;

export type Outcome = State | "ENDED" | "NOT_READY";

/** The state that a command leads to, or the code of the refusal. */
export function outcomeOf(command: Command, state: State): Outcome {
  return COMMAND_TABLE[command][state];
}

export function isState(outcome: Outcome): outcome is State {
  return (STATES as readonly string[]).includes(outcome);
}

export function mayFollow(from: State, to: State): boolean {
  return (TRANSITIONS[from] as readonly State[]).includes(to);
}

/** Whether this reason can end a delegation in this state. */
export function mayEnd(reason: EndReason, state: State): boolean {
  return (END_REASONS[reason] as readonly State[]).includes(state);
}

export function isFinal(state: State): boolean {
  return TRANSITIONS[state].length === 0;
}

/** States in which a delegation occupies its buffer. */
export function isOccupying(state: State): boolean {
  return state === "offered" || state === "active" || state === "revoking";
}

export type Access = "read-only" | "read-write";
/** `exclusive`: nobody else may have the buffer meanwhile. `shared`: others who share may. */
export type Share = "exclusive" | "shared";

/** How the kernel was asked to take the memory away. */
export type Method =
  | "dma-buf-revoke"
  | "vfio-feature-revoke"
  | "ftruncate"
  | "device-close"
  | "never-exported"
  | "last-reference"
  | "reboot";
/** What one revoke ends: just this export, all exports of the device, or nothing. */
export type Scope = "buffer" | "device" | "none";

/** What convinced us that no holder reaches the memory any more. */
export interface Proof {
  method: Method;
  scope: Scope;
  /** Who saw it: the device's warden, the agent itself (after a warden's death), a warden's last word on disk, or the new boot id. */
  by: "warden" | "agent" | "last-word" | "boot-id";
  /** The kernel's answer: "0" or the errno's name, such as "EBADFD". */
  answer: string;
  /** What a look afterwards saw, such as "size 0". */
  probe: string;
  /** From the call to its return; null where nobody measured. */
  durationUs: number | null;
}

/** How far an end has come that the kernel has not confirmed yet. */
export interface Revocation {
  attempts: number;
  method: Method | null;
  /** The last refusal's errno name, if there was one. */
  lastErrno: string | null;
  /** On what it waits, in words for people; null while the first attempt is under way. */
  waitingFor: string | null;
  /** Nobody can tell any more whether the memory can still be reached. */
  unproven: boolean;
  /** When the end was decided, wall-clock milliseconds. */
  since: number;
}

export interface Ending {
  reason: EndReason;
  at: number;
  /** How often its client was told: each warning is a new state. */
  told: number;
}

/** One client's right to one buffer, as every door shows it. Times are wall-clock milliseconds since 1970, for display. */
export interface Delegation {
  id: number;
  buffer: string;
  device: string;
  /** Whose it is: `uid:1000`. */
  account: string;
  /** Who asked for it; differs from `account` where an operator delegated. */
  requestedBy: string;
  state: State;
  reason: EndReason | null;
  access: Access;
  share: Share;
  /** Stays when the client disconnects; its account may claim it again. */
  keep: boolean;
  purpose: string | null;
  /** Ends when nobody was seen to have it for so long; null: only its lease ends it. */
  idleMs: number | null;
  /** Who has more goes first, and 0 is usual. */
  priority: number;
  /** By which its memory is lent: the one that was asked for, else the one that it got at its claim; null before. */
  exporter: Exporter | null;
  /** Bytes. */
  size: number;
  /** How long the lease is from the claim on, in milliseconds. */
  leaseMs: number;
  requestedAt: number;
  offeredAt: number | null;
  claimedAt: number | null;
  endedAt: number | null;
  /** When an unclaimed offer lapses. */
  offerEndsAt: number | null;
  /** When the lease ends. */
  expiresAt: number | null;
  /** Place in the buffer's queue; 1 is next. Only while `waiting`. */
  position: number | null;
  /** When its turn comes at the latest, as leases and offers stand now; an extension moves it. Null where nobody can tell, and unless `waiting`. */
  expectedAt: number | null;
  /** The process that claimed it, or borrows and stands in line, and is still connected. */
  client: { pid: number; uid: number; command: string | null } | null;
  /** An end that was announced and is still to come. */
  ending: Ending | null;
  revocation: Revocation | null;
  proof: Proof | null;
  /** The device's memory is out of reach for now; it comes back when the device is resumed. */
  suspended: boolean;
  /** The delegation whose place it takes: one that was lost when another's was revoked device-wide, or was handed over. */
  renews: number | null;
  /** The reservation whose time had come. */
  reservation: number | null;
  /** The lease ends then at the latest, whenever it is claimed; null: it is as long as it is. */
  until: number | null;
  /** It ended, but the store could not be told yet. */
  unrecorded: boolean;
}
