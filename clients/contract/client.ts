import type { Delegation } from "@lendbuf/shared/delegation";
import type { Exporter } from "@lendbuf/shared/exporter";

/** How to borrow; what is left out is as the client has it when nobody says. */
export interface Terms {
  forMs?: number;
  /** Stand in line where it is taken: without a limit, or so long. */
  waitMs?: number | "forever";
  readOnly?: boolean;
  exporter?: Exporter;
  purpose?: string;
}

export interface Borrowed {
  id: number;
  /** Bytes. */
  size: number;
}

/** What the client told its user about a lease: "ending", "extended", "revoking", "revoked" or "lost", and why it ends where it says so. */
export interface Told {
  kind: string;
  reason: string | undefined;
}

/** One of the clients, used as its documentation has it, in a process of its own. It has one lease at a time; to borrow anew leaves the old one. */
export interface Client extends AsyncDisposable {
  /** To the agent, also once more after it was gone. */
  connect(): Promise<void>;
  borrow(buffer: string, terms?: Terms): Promise<Borrowed>;
  /** The delegation's, as the client shows it to its user. */
  record(): Promise<Delegation>;
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Reads the same bytes over and over until it cannot: resolves once it has read them, with how that ends. */
  readOn(offset: number, bytes: Buffer): Promise<{ end: Promise<Refused> }>;
  /** Of a window. */
  sync(direction: "from-device" | "to-device", offset: number, length: number): Promise<void>;
  /** Answers when the lease ends then. */
  extend(byMs: number): Promise<number>;
  /** The next that was told of the lease, from its beginning on. */
  hear(): Promise<Told>;
  /** Resolves when the client says that it is given back. */
  release(): Promise<void>;
  /** Without a word. */
  kill(): Promise<void>;
}

/** A client said no: `type` is what its user tells apart by, such as an exception's class, an errno or an exit code. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly type: string;

  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.type = type;
  }
}
