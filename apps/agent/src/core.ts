import type { Config } from "@lendbuf/config/config";
import type { Role } from "@lendbuf/shared/role";
import type { Accounts } from "./accounts/accounts.ts";
import type { Oidc } from "./accounts/oidc.ts";
import type { Passwords } from "./accounts/passwords.ts";
import type { Refusals } from "./accounts/refusals.ts";
import type { Sessions } from "./accounts/sessions.ts";
import type { Tokens } from "./accounts/tokens.ts";
import type { Between } from "./between/between.ts";
import type { Buffers } from "./buffers/buffers.ts";
import type { Deadline, Deadlines } from "./clock/deadlines.ts";
import type { Signal } from "./clock/signal.ts";
import type { Ledger } from "./delegations/ledger.ts";
import type { Live } from "./delegations/live.ts";
import type { Device } from "./devices/device.ts";
import type { Drains } from "./devices/drains.ts";
import type { Scans } from "./holders/scans.ts";
import type { Log } from "./log.ts";
import type { Policy } from "./policy/policy.ts";
import type { Book } from "./reservations/book.ts";
import type { ExportBook } from "./revocation/export-book.ts";
import type { AuditSearch } from "./store/search.ts";
import type { Store } from "./store/store.ts";
import type { Views } from "./wardens/views.ts";

/** The parts of a running agent, as agent.ts puts them together. */
export interface Core {
  /** As it counts now: a part of it follows the file (configuration/reload.ts). */
  readonly config: Config;
  /** What the file, the environment and the command line say at this moment. @throws ConfigError */
  readonly readConfig: () => Config;
  readonly log: Log;
  readonly clock: Deadlines;
  readonly store: Store;
  readonly search: AuditSearch;
  readonly devices: ReadonlyMap<string, Device>;
  readonly drains: Drains;
  readonly buffers: Buffers<Live>;
  readonly ledger: Ledger;
  readonly reservations: Book;
  readonly exports: ExportBook;
  readonly between: Between;
  readonly views: Views;
  readonly scans: Scans;
  readonly accounts: Accounts;
  readonly policy: Policy;
  readonly refusals: Refusals;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  readonly passwords: Passwords;
  /** Null where no identity provider is configured. */
  readonly oidc: Oidc | null;
  readonly bootId: string;
  readonly startedAt: number;
  readonly version: string;
  /** Open files that this process may have. */
  readonly fileLimit: number;
  /** What the doors say of themselves. */
  readonly doors: Doors;
  /** Where the audit is copied to, if it is. */
  readonly auditCopy: { readonly lost: number } | null;
  /** Woken when the audit grows. */
  readonly audited: Signal;
  /** Woken when a reservation comes or goes, which moves turns too. */
  readonly reserved: Signal;
  /** When something of the wall clock is to be looked at. */
  readonly alarms: { reservations: Deadline | null; drains: Deadline | null; idle: Deadline | null };
  /** Woken when anything changes that a status tells of. */
  readonly changed: Signal;
}

export interface Doors {
  /** Of the one on loopback. */
  url: string | null;
  /** Of the one over TLS, which others on the network reach too. */
  remoteUrl: string | null;
  /** Both are open: the one on loopback, and the socket. */
  isOpen: boolean;
  /** Connections, by door. */
  counts: () => { socket: number; websocket: number };
  /** Ends an account's connections. */
  dismiss: (account: string) => void;
  /** They are closed for another agent to open: connections end, what their clients hold does not. */
  isLeaving: boolean;
}

/** Who calls, as a door has found out. */
export interface Caller {
  /** `alice`; `uid:1000` where no account names the uid. */
  readonly account: string;
  /** `alice uid:1000 pid:4242 "python3"`, for the audit. */
  readonly actor: string;
  /** What it may do at this moment; null where its account was taken away. */
  readonly role: Role | null;
  /** May see and end everybody's. */
  readonly isOperator: boolean;
  /** How it came in, and with which session or token. */
  readonly door: "socket" | "session" | "token";
  readonly credential: string | null;
  /** When that ends; wall-clock milliseconds. */
  readonly expiresAt: number | null;
}
