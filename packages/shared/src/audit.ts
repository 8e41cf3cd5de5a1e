// The append-only, hash-chained audit: its entries as they are shown, and as they are stored and hashed.
import type { Delegation, State } from "./delegation.ts";

/** One line of the audit. */
export interface AuditEntry {
  /** Counts from 1 without gaps. */
  seq: number;
  /** Wall-clock milliseconds. */
  at: number;
  /** Who, in one text: `alice uid:1000 pid:4242 "python3"`, or `agent`. */
  actor: string;
  /** The same in parts. */
  who: Who;
  /** What: `delegation.requested`, `delegation.claimed`, `delegation.revoked`, `request.refused`, … */
  action: string;
  /** The delegation or the buffer that it is about. */
  delegation: number | null;
  buffer: string | null;
  /** The reason of an end, the purpose of a request, the words of a refusal. */
  why: string | null;
  /** By which the memory was taken back; of a refusal, what was called. */
  method: string | null;
  /** What the kernel refused with, such as "EBUSY"; of a refusal, its code. */
  errno: string | null;
  /** How long the kernel took to take the memory back. */
  durationUs: number | null;
  /** The facts: for a delegation its record afterwards. */
  detail: unknown;
  /** SHA-256 over the entry and its predecessor's hash, hex. */
  hash: string;
}

/** Who did it, as far as it is known. */
export interface Who {
  /** `alice` or `uid:1000`; `null` where it was the agent itself, or nobody knows. */
  account: string | null;
  uid: number | null;
  /** Of a program on this host, as the kernel named it when it connected. */
  pid: number | null;
  command: string | null;
  /** Over HTTP: `127.0.0.1:40112`. */
  address: string | null;
}

const ACTOR = /^(\S+)(?: uid:(\d+))?(?: pid:(\d+)| (?:token|session):\S+)?(?: (".*")| (\S+:\d+))?$/;

/** The parts of an actor's text. */
export function whoOf(actor: string): Who {
  const [, first, uid = first?.match(/^uid:(\d+)$/)?.[1], pid, command, address = null] = ACTOR.exec(actor) ?? [];
  const name: unknown = command === undefined ? null : JSON.parse(command);
  return {
    account: first === undefined || actor === "agent" || /^nobody( [^ ]+:\d+)?$/.test(actor) ? null : first,
    uid: uid === undefined ? null : Number(uid),
    pid: pid === undefined ? null : Number(pid),
    command: typeof name === "string" ? name : null,
    address,
  };
}

/** One entry as it is stored; `detail` and `delegations` are JSON texts, hashed as they stand. */
export interface AuditRow {
  seq: number;
  at: number;
  actor: string;
  action: string;
  delegation: number | null;
  delegations: string | null;
  buffer: string | null;
  account: string | null;
  state: string | null;
  detail: string;
  hash: string;
}

/** What the first entry's predecessor would have had. */
export const GENESIS = "0".repeat(64);

/** What is hashed (SHA-256, hex): the predecessor's hash, a line feed and the row's fields as one JSON array. */
export function chainedText(row: Omit<AuditRow, "hash">, previous: string): string {
  const { seq, at, actor, action, delegation, delegations, buffer, account, state, detail } = row;
  return `${previous}\n${JSON.stringify([seq, at, actor, action, delegation, delegations, buffer, account, state, detail])}`;
}

/** A place in the chain: kept elsewhere, it shows later whether what was before it was changed or cut off. */
export interface AuditHead {
  seq: number;
  hash: string;
}

export interface AuditVerdict {
  ok: boolean;
  /** How many entries were looked at. */
  entries: number;
  /** The last entry's hash, hex: keep it elsewhere to notice a cut-off tail. */
  head: string | null;
  /** Where the entries begin, where older ones were dropped by age: the last dropped entry's place and hash. */
  anchor: AuditHead | null;
  /** The first entry that does not fit, and what is wrong with it. */
  broken: { seq: number; problem: string } | null;
}

/** Who had, or had reserved, a buffer at some time. */
export interface Holding {
  /** The delegation's then: `offered` is reserved only, `active` lent, `revoking` not proven to be out of reach yet. */
  state: State;
  /** When it came to that state, and when it left it; `null`: it is in it still. */
  from: number;
  until: number | null;
  /** The process that had claimed it then. */
  client: Delegation["client"];
  /** As it is now, or as it ended. */
  delegation: Delegation;
}

/** A part of an export: a piece of its text. */
export interface AuditText {
  text: string;
}
