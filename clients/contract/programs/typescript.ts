// A program that borrows with @lendbuf/client, as it is told: program.ts has the orders and their answers.
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";
import * as errors from "@lendbuf/client/errors";
import type { Lease } from "@lendbuf/client/lease";
import * as refusals from "@lendbuf/client/refusals";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Exporter } from "@lendbuf/shared/exporter";

const KINDS = ["ending", "extended", "suspended", "resumed", "revoking", "revoked", "lost"] as const;
/** By the names under which users import them. */
const CLASSES = Object.entries({ ...errors, ...refusals });

/** What becomes of a lease, in order. */
class Told {
  readonly #events: string[] = [];
  #wake: () => void = () => {};

  constructor(of?: Lease) {
    for (const kind of KINDS) of?.on(kind, (now: Delegation, _cause?: unknown) => this.#take(kind, now));
  }

  async next(): Promise<string> {
    while (this.#events.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#events.shift()!;
  }

  #take(kind: string, { reason, ending }: Delegation): void {
    this.#events.push(`${kind} ${reason ?? ending?.reason ?? "-"}`);
    this.#wake();
  }
}

let agent: Connection | undefined;
let lease: Lease | undefined;
let told = new Told();

const ORDERS: Record<string, (...words: string[]) => Promise<string> | string> = {
  async connect(path) {
    agent?.close();
    agent = await connect({ path });
    return "";
  },
  async borrow(buffer, forMs, waitMs, access, exporter, ...purpose) {
    lease?.close();
    lease = await agent!.borrow(buffer!, {
      readOnly: access === "read-only",
      ...(forMs !== "0" && { for: `${forMs}ms` }),
      ...(waitMs !== "0" && { wait: waitMs === "-1" ? true : `${waitMs}ms` }),
      ...(exporter !== "-" && { exporter: exporter as Exporter }),
      ...(purpose.length > 0 && { purpose: purpose.join(" ") }),
    });
    told = new Told(lease);
    return JSON.stringify({ id: lease.delegation.id, size: lease.size });
  },
  record: () => JSON.stringify(lease!.delegation),
  read: (offset, length) => Buffer.from(lease!.read(Number(offset), Number(length))).toString("hex"),
  write(offset, bytes) {
    lease!.write(Number(offset), Buffer.from(bytes!, "hex"));
    return "";
  },
  async "read-on"(offset, digits) {
    const bytes = Buffer.from(digits!, "hex");
    for (let reads = 0; ; reads++) {
      const now = lease!.read(Number(offset), bytes.length);
      if (!bytes.equals(now)) throw new Error(`After ${reads} reads there are other bytes.`);
      if (reads === 0) console.log("reading");
      await setImmediate();
    }
  },
  async sync(direction, offset, length) {
    await lease!.sync(direction as "to-device", { offset: Number(offset), length: Number(length) });
    return "";
  },
  extend: async (ms) => `${(await lease!.extend(`${ms}ms`)).expiresAt}`,
  hear: () => told.next(),
  async release() {
    await lease!.release();
    return "";
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...words] = line.split(" ").filter(Boolean);
  try {
    console.log(`ok ${await ORDERS[order!]!(...words)}`);
  } catch (error) {
    const failure = error as Error;
    const [type] = CLASSES.find(([, one]) => one === failure.constructor) ?? [failure.constructor.name];
    console.log(`no ${type} ${failure.message.replaceAll("\n", " ")}`);
  }
}
lease?.close();
agent?.close();
