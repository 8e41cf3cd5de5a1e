import { chmodSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { PacketServer, type PacketSocket, type Peer } from "@lendbuf/native/addon";
import type { AnyTRPCRouter } from "@trpc/server";
import { callerOf } from "../accounts/caller.ts";
import type { Core } from "../core.ts";
import { Connection } from "./connection.ts";

/** The door for programs on this host: a unix socket, whose callers the kernel names. */
export class Broker {
  readonly #core: Core;
  readonly #router: AnyTRPCRouter;
  readonly #server: PacketServer;
  readonly #connections = new Set<Connection>();
  readonly #perUid = new Map<number, number>();
  readonly #nobody = overflowUid();

  constructor(core: Core, router: AnyTRPCRouter, path: string) {
    this.#core = core;
    this.#router = router;
    makeFolder(dirname(path));
    this.#server = new PacketServer({
      path,
      mode: 0o660,
      onConnection: (socket) => this.#admit(socket),
      onError: (error) => core.log.warn({ error }, "a connection was turned away"),
    });
  }

  get clients(): number {
    return this.#connections.size;
  }

  /** Ends what an account has open. */
  dismiss(account: string): void {
    for (const connection of this.#connections) if (connection.account === account) connection.drop();
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.drop();
  }

  #admit(socket: PacketSocket): void {
    const refusal = this.#refusalOf(socket.peer);
    if (refusal) return this.#turnAway(socket, `uid:${socket.peer.uid}`, refusal);
    const { uid } = socket.peer;
    const gids = groupsOf(socket);
    const account = this.#core.accounts.ofPeer(uid, gids);
    const came = { door: "socket", credential: null, expiresAt: null } as const;
    const caller = callerOf(this.#core.accounts, account, () => processOf(account, connection), came, { gids });
    if (caller.role === null) return this.#turnAway(socket, account, noWayIn(account));
    this.#perUid.set(uid, this.#countOf(uid) + 1);
    const connection: Connection = new Connection(this.#core, this.#router, socket, caller, () => {
      this.#connections.delete(connection);
      this.#perUid.set(uid, this.#countOf(uid) - 1);
    });
    this.#connections.add(connection);
  }

  #turnAway(socket: PacketSocket, account: string, refusal: Refusal): void {
    const { uid, pid } = socket.peer;
    const actor = `${account} ${processOf(account, { uid, pid, command: null })}`;
    const { message, data } = refusal;
    this.#core.refusals.note({ account, actor, call: "connect", code: data.code, message });
    turnAway(socket, refusal);
  }

  #refusalOf({ uid }: Peer): Refusal | undefined {
    if (uid === this.#nobody) {
      return {
        message: "Your uid is not known here (it comes from another user namespace). Connect as a user of this host.",
        data: { code: "NOT_ALLOWED" },
      };
    }
    const { connectionsPerUid } = this.#core.config;
    if (this.#countOf(uid) >= connectionsPerUid) {
      return {
        message: `uid ${uid} has ${connectionsPerUid} connections, the most that one uid may have. Close some.`,
        data: { code: "LIMIT" },
      };
    }
    return undefined;
  }

  #countOf(uid: number): number {
    return this.#perUid.get(uid) ?? 0;
  }
}

interface Refusal {
  message: string;
  data: { code: string };
}

/** What an actor's text has behind the account. */
function processOf(account: string, { uid, pid, command }: Pick<Connection, "uid" | "pid" | "command">): string {
  const parts = [
    account === `uid:${uid}` ? "" : `uid:${uid} `,
    `pid:${pid}`,
    command ? ` ${JSON.stringify(command)}` : "",
  ];
  return parts.join("");
}

function turnAway(socket: PacketSocket, refusal: Refusal): void {
  socket.start({ encoding: "utf8", acceptFds: false, onPacket() {}, onClose() {} });
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, ...refusal } }));
  socket.close();
}

function noWayIn(account: string): Refusal {
  return {
    message: `${account} has no way in here: its account is disabled, or the agent lends to named accounts only. Ask an admin (lendbuf account).`,
    data: { code: "NOT_ALLOWED" },
  };
}

/** By number; one that has gone already has none. */
function groupsOf(socket: PacketSocket): number[] {
  try {
    return [socket.peer.gid, ...socket.peerGroups()];
  } catch {
    return [];
  }
}

/** The uid that the kernel shows in place of one that has no meaning here. */
function overflowUid(): number {
  try {
    return Number(readFileSync("/proc/sys/kernel/overflowuid", "utf8"));
  } catch {
    return 65_534;
  }
}

/** Somebody else owns the folder, and could put a socket of his own in our socket's place. */
export class ForeignFolder extends Error {}

/** A folder that we make is the owner's alone to change, or anybody could put a socket of his own in its place. */
function makeFolder(path: string): void {
  if (mkdirSync(path, { recursive: true }) !== undefined) chmodSync(path, 0o755);
  const { uid, mode } = statSync(path);
  const isSticky = (mode & 0o1000) !== 0;
  if (uid !== process.getuid!() && uid !== 0 && !isSticky) {
    throw new ForeignFolder(`The socket's folder ${path} belongs to uid ${uid}. Choose one of your own with --socket.`);
  }
}
