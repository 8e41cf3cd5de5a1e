import { chmodSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { PacketServer, type PacketSocket, type Peer } from "@lendbuf/native/addon";
import type { AnyTRPCRouter } from "@trpc/server";
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

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.drop();
  }

  #admit(socket: PacketSocket): void {
    const refusal = this.#refusalOf(socket.peer);
    if (refusal) {
      const { uid, pid } = socket.peer;
      const { message, data } = refusal;
      this.#core.refusals.note({
        account: `uid:${uid}`,
        actor: `uid:${uid} pid:${pid}`,
        call: "connect",
        code: data.code,
        message,
      });
      socket.start({ encoding: "utf8", acceptFds: false, onPacket() {}, onClose() {} });
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, ...refusal } }));
      return socket.close();
    }
    const { uid } = socket.peer;
    this.#perUid.set(uid, this.#countOf(uid) + 1);
    const connection: Connection = new Connection(this.#core, this.#router, socket, () => {
      this.#connections.delete(connection);
      this.#perUid.set(uid, this.#countOf(uid) - 1);
    });
    this.#connections.add(connection);
  }

  #refusalOf({ uid }: Peer): { message: string; data: { code: string } } | undefined {
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
