import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Client } from "./client.ts";
import type { ClientKind, Places } from "./clients.ts";

/** A running agent, in whatever world the contract is played. */
export interface Host {
  readonly socket: string;
  connect(): Promise<Connection>;
  /** SIGKILL, and waits until it is gone. */
  crash(): Promise<unknown>;
  /** Another one on the same store and socket. */
  restart(): Promise<Host>;
}

/** Where scenarios are played; `host` is the agent that runs now. */
export interface Setting extends Omit<Places, "socket"> {
  host: Host;
  buffer: string;
}

/** What a scenario plays with: one of the clients, and an operator who sees it from the agent's side. */
export class Stage implements AsyncDisposable {
  readonly kind: ClientKind;
  readonly buffer: string;
  readonly exporter: Exporter;
  /** Of the client's own kind, connected. */
  readonly client: Client;
  /** Of the agent that runs now. */
  operator: Connection;
  readonly #setting: Setting;

  private constructor(
    { kind, exporter, setting }: { kind: ClientKind; exporter: Exporter; setting: Setting },
    client: Client,
    operator: Connection,
  ) {
    this.kind = kind;
    this.buffer = setting.buffer;
    this.exporter = exporter;
    this.client = client;
    this.operator = operator;
    this.#setting = setting;
  }

  static async set(kind: ClientKind, exporter: Exporter, setting: Setting): Promise<Stage> {
    const client = await kind.start({ ...setting, socket: setting.host.socket });
    return new Stage({ kind, exporter, setting }, client, await setting.host.connect());
  }

  /** The agent that runs now. */
  get host(): Host {
    return this.#setting.host;
  }

  /** Of the same kind, in a process of its own. */
  another(): Promise<Client> {
    return this.kind.start({ ...this.#setting, socket: this.host.socket });
  }

  async restartAgent(): Promise<void> {
    this.#setting.host = await this.host.restart();
    this.operator = await this.host.connect();
  }

  /** All ends that a scenario left, and the device can be borrowed from, which had to be closed where nothing less takes it back. */
  async clear(): Promise<void> {
    await this.operator.call("delegations.revokeAll", {});
    for await (const { items } of this.operator.subscribe("delegations.watch", {})) if (items.length === 0) break;
    for await (const { devices } of this.operator.subscribe("status.watch", {}))
      if (devices.every(({ state }) => state === "ready")) return;
  }

  /** The delegation once it is so. */
  async once(id: number, isSo: (delegation: Delegation) => boolean): Promise<Delegation> {
    for await (const delegation of this.operator.subscribe("delegations.follow", { id }))
      if (isSo(delegation)) return delegation;
    throw new Error(`Delegation ${id} has ended, and was not so before.`);
  }

  /** The delegation that stands in line. */
  async waiting(): Promise<Delegation> {
    for await (const { items } of this.operator.subscribe("delegations.watch", {})) {
      const found = items.find(({ state, buffer }) => state === "waiting" && buffer === this.buffer);
      if (found) return found;
    }
    throw new Error("The agent tells no more who waits.");
  }

  /** What the client writes, at the device. */
  async put(offset: number, bytes: Buffer): Promise<void> {
    await this.client.write(offset, bytes);
    if (this.exporter === "staged") await this.client.sync("to-device", offset, bytes.length);
  }

  /** What is at the device, as the client reads it. */
  async get(offset: number, length: number): Promise<Buffer> {
    if (this.exporter === "staged") await this.client.sync("from-device", offset, length);
    return this.client.read(offset, length);
  }

  /** What is at the device, as the agent reads it: words, never from a cache. */
  async seen(offset: number, length: number): Promise<Buffer> {
    const words = { name: this.buffer, offset, width: 8, count: length } as const;
    const { values } = await this.operator.call("buffers.peek", words);
    return Buffer.from(values.map(Number));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.operator.close();
    await this.client[Symbol.asyncDispose]();
  }
}
