// Every procedure of the agent: its input's schema and its output's type. The router implements exactly this table, clients are typed by it.
import { z } from "zod";
import { ACCOUNT, ACCOUNT_KINDS, ACCOUNT_NAME, type Account, PASSWORD_LENGTH } from "./account.ts";
import type { AuditEntry, AuditHead, AuditText, AuditVerdict, Holding } from "./audit.ts";
import {
  BUFFER_NAME,
  type BufferView,
  type Contents,
  MAX_NAME_LENGTH,
  MAX_RANGES,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  type Occupancy,
  type Peeked,
  type Poked,
  TAG,
  WIDTHS,
} from "./buffer.ts";
import { type Delegation, STATES } from "./delegation.ts";
import type { Device } from "./device.ts";
import type { Diagnosis } from "./doctor.ts";
import { EXPORTERS } from "./exporter.ts";
import type { DmaBuf, Holders, Visibility } from "./holder.ts";
import type { Reservation } from "./reservation.ts";
import { ROLES, SCOPES } from "./role.ts";
import { BUFFER_PATTERN, type Explanation, type Reloaded, RULE_NAME, type Rule, WHO } from "./rule.ts";
import type { Identity, LoginLink, Session, Token } from "./session.ts";
import type { Status } from "./status.ts";

export const MAX_PAGE = 500;
/** A revoke names this many at most, so that the answer fits into a packet. */
export const MAX_IDS = 32;

/** Bytes of a buffer's memory in one answer. */
export const MAX_READ = 32_768;
/** Words of a buffer's memory in one answer. */
export const MAX_WORDS = 1024;
const DAY_MS = 86_400_000;
const MAX_IDLE_MS = 30 * DAY_MS;
const MAX_TOKEN_LIFE_MS = 366 * DAY_MS;

const Name = z
  .string()
  .max(MAX_NAME_LENGTH, `a name has at most ${MAX_NAME_LENGTH} characters`)
  .regex(BUFFER_NAME, "letters, digits and . _ : - in parts divided by /");
const Tag = z
  .string()
  .max(MAX_TAG_LENGTH, `a tag has at most ${MAX_TAG_LENGTH} characters`)
  .regex(TAG, "a tag has letters, digits and . _ : -");
const Id = z.int().positive();
const Limit = z.int().min(1).max(MAX_PAGE).default(100);
const LeaseMs = z.int("a lease is a whole number of milliseconds").positive("a lease is longer than nothing");
const Bytes = z.int().nonnegative();
const WordFields = { name: Name, offset: Bytes, width: z.literal(WIDTHS).default(32) };
const Pattern = z
  .strictObject({
    pattern: z.string().regex(/^0x[0-9a-f]{1,16}$/i, "a pattern is written 0x and up to 16 hexadecimal digits"),
    width: z.literal(WIDTHS).default(32),
  })
  .refine(({ pattern, width }) => BigInt(pattern) >> BigInt(width) === 0n, "the pattern has more bits than its width");
const Purpose = z.string().max(200).nullable().default(null);
const None = z.strictObject({}).prefault({});
const AccountName = z.string().regex(ACCOUNT, "an account is written alice, or uid:1000");
const Password = z
  .string()
  .min(PASSWORD_LENGTH.least, `a password has at least ${PASSWORD_LENGTH.least} characters`)
  .max(PASSWORD_LENGTH.most, `a password has at most ${PASSWORD_LENGTH.most} characters`);
const MAX_MAPPED = 100;
const AccountFields = {
  role: z.enum(ROLES),
  kind: z.enum(ACCOUNT_KINDS),
  uids: z.array(z.int().min(0).max(4_294_967_294)).max(MAX_MAPPED),
  groups: z.array(z.string().regex(/^[\w.-]{1,32}$/, "a group is named as in /etc/group")).max(MAX_MAPPED),
};

/** Wall-clock milliseconds. */
const At = z.int("a time is a whole number of milliseconds since 1970").positive("a time is after 1970");

/** Which entries of the audit: those that fit all that is given. */
const AuditFields = {
  after: z.int().min(0).optional(),
  delegation: Id.optional(),
  buffer: Name.optional(),
  device: Name.optional(),
  /** Done by it, or about its delegations. */
  account: AccountName.optional(),
  /** `delegation.claimed`, or all of `delegation`. */
  action: z.string().max(64).optional(),
  /** Words that an entry has, all of them. */
  search: z.string().max(100).optional(),
};
/** Wall-clock milliseconds: from then on, and before then. */
const Span = { from: At.optional(), to: At.optional() };

const MAX_PATTERNS = 64;
const Who = z
  .string()
  .regex(WHO, "who is written *, alice, ci-*, role:member or group:lab, with ! before it for all but these");
const RuleName = z.string().regex(RULE_NAME, "a small letter, then small letters, digits and . _ -, 64 at most");
const Choice = z.boolean().nullable().default(null);

const RequestFields = {
  buffer: Name,
  access: z.enum(["read-only", "read-write"]).default("read-write"),
  /** Defaults to exclusive for read-write, shared for read-only. */
  share: z.enum(["exclusive", "shared"]).optional(),
  leaseMs: LeaseMs.default(3_600_000),
  keep: z.boolean().default(false),
  /** Take a place in the queue where the buffer is taken; else BUSY. */
  wait: z.boolean().default(false),
  purpose: Purpose,
  /** By which the memory is lent; defaults to the device's first that works. */
  exporter: z.enum(EXPORTERS).nullable().default(null),
  /** Ends when nobody was seen to have it for so long; null: only its lease ends it. */
  idleMs: z.int().min(1000).max(MAX_IDLE_MS).nullable().default(null),
  /** Goes before less in line; those who have it and have less are told to go. Above 0: for operators, and accounts that the agent was told of. */
  priority: z.int().min(-100).max(100).default(0),
  /** Have it for less than `leaseMs` where a reservation of somebody else comes before its end. */
  shorten: z.boolean().default(false),
};

export const INPUTS = {
  "status.get": None,
  "status.watch": None,
  "devices.list": None,
  /** Takes a device's memory from everybody for now. */
  "devices.suspend": z.strictObject({ name: Name }),
  "devices.resume": z.strictObject({ name: Name }),
  /** Nothing new of it is lent until then, or until it is undrained. */
  "devices.drain": z.strictObject({
    name: Name,
    reason: z.string().min(1).max(200),
    until: At.optional(),
    /** Do not wait for the leases to run out: end them after notice. */
    now: z.boolean().default(false),
    /** Defaults to the agent's. */
    noticeMs: z.int().min(0).max(86_400_000).optional(),
  }),
  "devices.undrain": z.strictObject({ name: Name }),
  "host.doctor": None,
  "buffers.list": z
    .strictObject({
      device: Name.optional(),
      tag: Tag.optional(),
      search: z.string().max(100).optional(),
      cursor: z.string().max(MAX_NAME_LENGTH).optional(),
      limit: Limit,
    })
    .prefault({}),
  "buffers.get": z.strictObject({ name: Name }),
  "buffers.define": z.strictObject({
    name: Name,
    device: Name,
    region: z.int().min(0).max(255),
    ranges: z
      .array(z.strictObject({ offset: Bytes, length: Bytes }))
      .min(1, "a buffer has at least one range")
      .max(MAX_RANGES),
    share: z.enum(["exclusive", "shared"]).default("exclusive"),
    scrub: z.union([z.enum(["none", "zero"]), Pattern]).default("none"),
    description: z.string().max(200).default(""),
    tags: z.array(Tag).max(MAX_TAGS, `a buffer has at most ${MAX_TAGS} tags`).default([]),
  }),
  "buffers.remove": z.strictObject({ name: Name }),
  /** It is lent again though it was held. */
  "buffers.lift": z.strictObject({ name: Name }),
  "buffers.watch": None,
  "buffers.read": z.strictObject({
    name: Name,
    offset: Bytes.default(0),
    length: z.int().min(1).max(MAX_READ).default(4096),
  }),
  "buffers.peek": z.strictObject({ ...WordFields, count: z.int().min(1).max(MAX_WORDS).default(1) }),
  "buffers.poke": z.strictObject({
    ...WordFields,
    value: z.string().regex(/^0x[0-9a-f]{1,16}$/i, "a value is written 0x and up to 16 hexadecimal digits"),
  }),
  "delegations.list": z
    .strictObject({
      buffer: Name.optional(),
      account: z.string().max(64).optional(),
      states: z.array(z.enum(STATES)).optional(),
      /** Also those that have ended, newest first. */
      all: z.boolean().default(false),
      cursor: Id.optional(),
      limit: Limit,
    })
    .prefault({}),
  "delegations.watch": z.strictObject({ buffer: Name.optional(), limit: Limit }).prefault({}),
  "delegations.get": z.strictObject({ id: Id }),
  "delegations.follow": z.strictObject({ id: Id }),
  "delegations.request": z.strictObject({
    ...RequestFields,
    /** For whom. Operators only; else the caller. */
    account: AccountName.optional(),
    /** How long the offer stands. */
    offerMs: z.int().positive().max(86_400_000).optional(),
  }),
  "delegations.claim": z.strictObject({ id: Id }),
  "delegations.borrow": z.strictObject(RequestFields),
  /** Binds what the agent took over from the one before to this connection: of the process that had claimed it. */
  "delegations.resume": z.strictObject({ id: Id }),
  "delegations.extend": z.strictObject({
    id: Id,
    /** Added to what is left; below 0 it is taken from it. */
    byMs: z
      .int("an extension is a whole number of milliseconds")
      .refine((ms) => ms !== 0, "an extension adds something"),
    /** The lease may come out shorter than otherwise: less is added where the whole would pass a limit, and `byMs` may be below 0. */
    shorten: z.boolean().default(false),
  }),
  /** Of a staged one: copies between what its holder sees and the device. */
  "delegations.sync": z.strictObject({
    id: Id,
    direction: z.enum(["from-device", "to-device"]),
    /** In the buffer; like the length a multiple of the width. */
    offset: Bytes.default(0),
    /** Defaults to all that follows. */
    length: z.int().positive().optional(),
    width: z.literal(WIDTHS).default(32),
  }),
  /** What is left of a lease becomes another account's. */
  "delegations.handOver": z.strictObject({
    id: Id,
    account: AccountName,
    /** How long the other has to claim it. */
    offerMs: z.int().positive().max(86_400_000).optional(),
  }),
  "delegations.release": z.strictObject({ id: Id }),
  "delegations.revoke": z.strictObject({
    ids: z.array(Id).min(1).max(MAX_IDS),
    /** Tell the clients now, take the memory after so long; 0: at once. */
    noticeMs: z.int().min(0).max(86_400_000).default(0),
    /** Where only a whole device can be taken back: end the others on it too, as `collateral`. Else BLAST_RADIUS names them. */
    deviceWide: z.boolean().default(false),
  }),
  /** Panic: all that fit what is named, at once. */
  "delegations.revokeAll": z
    .strictObject({ device: Name.optional(), account: AccountName.optional(), tag: Tag.optional() })
    .prefault({}),
  "delegations.holders": z.strictObject({ id: Id }),
  "host.dmabufs": z
    .strictObject({ search: z.string().max(100).optional(), cursor: Id.optional(), limit: Limit })
    .prefault({}),
  /** By their beginnings. Everybody sees when a buffer is taken, and operators by whom. */
  "reservations.list": z
    .strictObject({
      buffer: Name.optional(),
      account: AccountName.optional(),
      /** Also those that are over, the last first. */
      all: z.boolean().default(false),
      cursor: z.string().max(40).optional(),
      limit: Limit,
    })
    .prefault({}),
  "reservations.watch": z.strictObject({ buffer: Name.optional(), limit: Limit }).prefault({}),
  "reservations.create": z.strictObject({
    buffer: Name,
    from: At,
    to: At,
    access: RequestFields.access,
    share: RequestFields.share,
    keep: RequestFields.keep,
    purpose: Purpose,
    exporter: RequestFields.exporter,
    /** For whom. Operators only; else the caller. */
    account: AccountName.optional(),
  }),
  "reservations.cancel": z.strictObject({ id: Id }),
  "audit.list": z
    .strictObject({ ...AuditFields, ...Span, before: z.int().positive().optional(), limit: Limit })
    .prefault({}),
  "audit.watch": z.strictObject(AuditFields).prefault({}),
  /** Who had a buffer at some time, and how each ended. */
  "audit.who": z.strictObject({ buffer: Name, at: At, cursor: Id.optional(), limit: Limit }),
  "audit.export": z
    .strictObject({ ...AuditFields, ...Span, format: z.enum(["jsonl", "csv"]).default("jsonl") })
    .prefault({}),
  "audit.head": None,
  "audit.verify": z
    .strictObject({
      /** One that was kept elsewhere: is it still in the chain? */
      head: z
        .strictObject({
          seq: z.int().positive(),
          hash: z.string().regex(/^[0-9a-f]{64}$/, "a hash has 64 hexadecimal digits"),
        })
        .optional(),
    })
    .prefault({}),
  "sessions.me": None,
  /** For whom: admins only; else the caller. */
  "sessions.createLink": z.strictObject({ account: AccountName.optional() }).prefault({}),
  "sessions.list": None,
  "sessions.end": z.strictObject({ id: z.string().max(64) }),
  "tokens.create": z.strictObject({
    name: z.string().min(1).max(64),
    /** To look, to borrow too, or to operate too, as far as its account may. */
    scope: z.enum(SCOPES).default("lend"),
    /** For whom: admins only; else the caller. */
    account: AccountName.optional(),
    lifeMs: z
      .int()
      .positive()
      .max(MAX_TOKEN_LIFE_MS)
      .default(90 * DAY_MS),
  }),
  "tokens.list": None,
  "tokens.remove": z.strictObject({ id: z.string().max(64) }),
  "accounts.list": z.strictObject({ cursor: z.string().max(64).optional(), limit: Limit }).prefault({}),
  "accounts.create": z.strictObject({
    name: z.string().regex(ACCOUNT_NAME, "a small letter, then small letters, digits and . _ -, 32 at most"),
    role: AccountFields.role.default("member"),
    kind: AccountFields.kind.default("person"),
    uids: AccountFields.uids.default([]),
    groups: AccountFields.groups.default([]),
  }),
  /** What is left out stays as it is. */
  "accounts.update": z.strictObject({
    name: AccountName,
    role: AccountFields.role.optional(),
    kind: AccountFields.kind.optional(),
    uids: AccountFields.uids.optional(),
    groups: AccountFields.groups.optional(),
    /** Ends all that it has and all its ways in. */
    disabled: z.boolean().optional(),
  }),
  /** Ends all that it has and all its ways in. */
  "accounts.remove": z.strictObject({ name: AccountName }),
  /** One's own, or as an admin somebody else's, who must then choose another at the first login. */
  "accounts.setPassword": z.strictObject({
    account: AccountName.optional(),
    /** Null takes it away. */
    password: Password.nullable(),
    /** The one before, where it is one's own. */
    current: z.string().max(PASSWORD_LENGTH.most).optional(),
  }),
  "policy.list": z.strictObject({ cursor: z.string().max(64).optional(), limit: Limit }).prefault({}),
  /** In place of one of the same name, which keeps its place, or after all others. */
  "policy.define": z.strictObject({
    name: RuleName,
    who: z.array(Who).min(1).max(MAX_PATTERNS).default(["*"]),
    buffers: z
      .array(
        z
          .string()
          .regex(BUFFER_PATTERN, "buffers are written *, fpga/* or sim0/ch?, with ! before it for all but these"),
      )
      .min(1)
      .max(MAX_PATTERNS)
      .default(["*"]),
    /** Only buffers that have one of these. */
    tags: z.array(Tag).max(MAX_PATTERNS).default([]),
    allow: Choice,
    mayQueue: Choice,
    mayExtend: Choice,
    allowIrrevocable: Choice,
    maxLeaseMs: LeaseMs.nullable().default(null),
    maxPerWeekMs: LeaseMs.nullable().default(null),
    maxAtOnce: z.int().min(0).max(1_000_000).nullable().default(null),
    /** Whose delegations of these buffers they may end by force. */
    mayRevoke: z.array(Who).max(MAX_PATTERNS).default([]),
  }),
  "policy.remove": z.strictObject({ name: RuleName }),
  /** What the rules answer for an account and a buffer. For whom: operators for everybody; else the caller. */
  "policy.explain": z.strictObject({ buffer: Name, account: AccountName.optional() }),
  /** Reads the configuration file anew: all of it, or where anything is wrong with it nothing. */
  "config.reload": z
    .strictObject({ /** Only say what it would change. */ check: z.boolean().default(false) })
    .prefault({}),
} as const satisfies Record<string, z.ZodType>;

export interface Page<T, Cursor> {
  items: T[];
  /** Pass it on to get what follows; null at the end. */
  next: Cursor | null;
  total: number;
}

export interface Claimed {
  delegation: Delegation;
  /** What the packet's fds are, in order. */
  fds: ["export"];
  size: number;
  /** How long it is worth trying to connect again where the agent is lost, and to resume; null: the lease ends with the agent. */
  resumeMs: number | null;
}

/** What was copied between a window and its device. */
export interface Synced {
  /** Bytes. */
  length: number;
  durationMs: number;
}

export interface RevokeSummary {
  revoked: number;
  cancelled: number;
  /** How many are decided, but not confirmed by the kernel yet. */
  remaining: number;
  /** Those, the first hundred. */
  unfinished: Unfinished[];
  durationMs: number;
}

/** A delegation whose end the kernel has not confirmed, and why. */
export interface Unfinished {
  id: number;
  buffer: string;
  device: string;
  account: string;
  /** On what it waits, in words for people; null where nothing is known yet. */
  waitingFor: string | null;
  /** The last refusal's errno name, if there was one. */
  lastErrno: string | null;
  /** Nobody can tell any more whether the memory can still be reached. */
  unproven: boolean;
}

/** What the current state of all live delegations is, the newest first; `total` counts those that were left out too. */
export interface DelegationsState {
  items: Delegation[];
  total: number;
  /** Those that ended last, the newest first. */
  recent: Delegation[];
}

/** What is reserved ahead, by its beginning; `total` counts those that were left out too. */
export interface ReservationsState {
  items: Reservation[];
  total: number;
}

/** The buffers that are not free, in order of their names; `total` counts those that were left out too. */
export interface OccupancyState {
  items: Occupancy[];
  total: number;
}

/** A page of the dma-bufs of the host, in order of their inodes. */
export type DmaBufs = Page<DmaBuf, number> & Visibility;

interface Outputs {
  "status.get": Status;
  "status.watch": Status;
  "devices.list": Device[];
  "devices.suspend": Device;
  "devices.resume": Device;
  "devices.drain": Device;
  "devices.undrain": Device;
  "host.doctor": Diagnosis;
  "buffers.list": Page<BufferView, string>;
  "buffers.get": BufferView;
  "buffers.define": BufferView;
  "buffers.remove": null;
  "buffers.lift": BufferView;
  "buffers.watch": OccupancyState;
  "buffers.read": Contents;
  "buffers.peek": Peeked;
  "buffers.poke": Poked;
  "delegations.list": Page<Delegation, number>;
  "delegations.watch": DelegationsState;
  "delegations.get": Delegation;
  "delegations.follow": Delegation;
  "delegations.request": Delegation;
  "delegations.claim": Claimed;
  "delegations.borrow": Claimed;
  "delegations.resume": Delegation;
  "delegations.extend": Delegation;
  "delegations.sync": Synced;
  "delegations.handOver": Delegation;
  "delegations.release": Delegation;
  "delegations.revoke": Delegation[];
  "delegations.revokeAll": RevokeSummary;
  "delegations.holders": Holders;
  "host.dmabufs": DmaBufs;
  "reservations.list": Page<Reservation, string>;
  "reservations.watch": ReservationsState;
  "reservations.create": Reservation;
  "reservations.cancel": Reservation;
  "audit.list": Page<AuditEntry, number>;
  "audit.watch": AuditEntry;
  "audit.who": Page<Holding, number>;
  "audit.export": AuditText;
  "audit.head": AuditHead;
  "audit.verify": AuditVerdict;
  "sessions.me": Identity;
  "sessions.createLink": LoginLink;
  "sessions.list": Session[];
  "sessions.end": null;
  "tokens.create": Token & { token: string };
  "tokens.list": Token[];
  "tokens.remove": null;
  "accounts.list": Page<Account, string>;
  "accounts.create": Account;
  "accounts.update": Account;
  "accounts.remove": null;
  "accounts.setPassword": null;
  "policy.list": Page<Rule, string>;
  "policy.define": Rule;
  "policy.remove": null;
  "policy.explain": Explanation;
  "config.reload": Reloaded;
}

export type Method = keyof typeof INPUTS;
export type Subscription =
  | "status.watch"
  | "buffers.watch"
  | "delegations.watch"
  | "delegations.follow"
  | "reservations.watch"
  | "audit.watch"
  | "audit.export";
export type Call = Exclude<Method, Subscription>;
export type Input<M extends Method> = z.input<(typeof INPUTS)[M]>;
export type Output<M extends Method> = Outputs[M];
