import { END_REASONS, isFinal, type Method } from "@lendbuf/shared/delegation";
import { ERROR_CODES } from "@lendbuf/shared/errors";
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { Core } from "../core.ts";
import type { Change } from "../delegations/ledger.ts";
import type { Live } from "../delegations/live.ts";
import { addGauges } from "./gauges.ts";

const METHODS: readonly Method[] = [
  "dma-buf-revoke",
  "vfio-feature-revoke",
  "ftruncate",
  "device-close",
  "never-exported",
  "last-reference",
  "reboot",
];
const REVOKE_BUCKETS_S = [0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10, 60];
const STORE_BUCKETS_S = [0.00001, 0.0001, 0.001, 0.01, 0.1, 1];
/** What only the doors say. */
const DOOR_CODES = ["UNAUTHORIZED", "WRONG_HOST", "FOREIGN_ORIGIN"];

/** What Prometheus is told. Every label that there can be is there from the start, with 0, so that a first event is a change. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #grants: Counter<"device">;
  readonly #ends: Counter<"reason">;
  readonly #revokes: Histogram<"method">;
  readonly #updates: readonly (() => void)[];
  #hasProcess = false;

  constructor(core: Core) {
    const registers = [this.#registry];
    this.#grants = new Counter({
      name: "lendbuf_grants_total",
      help: "Exports handed over to a client.",
      labelNames: ["device"],
      registers,
    });
    this.#ends = new Counter({
      name: "lendbuf_ends_total",
      help: "Delegations that ended, with the kernel's proof where anything was exported, by reason.",
      labelNames: ["reason"],
      registers,
    });
    for (const reason of Object.keys(END_REASONS)) this.#ends.inc({ reason }, 0);
    this.#revokes = new Histogram({
      name: "lendbuf_revoke_duration_seconds",
      help: "How long the kernel took to take an export back, by the method that proved it.",
      labelNames: ["method"],
      buckets: REVOKE_BUCKETS_S,
      registers,
    });
    for (const method of METHODS) this.#revokes.zero({ method });
    const writes = new Histogram({
      name: "lendbuf_store_write_seconds",
      help: "How long the store took to take a decision, durable as configured.",
      buckets: STORE_BUCKETS_S,
      registers,
    });
    core.store.onWrite = (ms) => writes.observe(ms / 1000);
    core.ledger.onChange = (lives, change) => this.#take(lives, change);
    const zero = () => {
      for (const device of core.devices.keys()) this.#grants.inc({ device }, 0);
    };
    this.#updates = [zero, addCounts(core, this.#registry), ...addGauges(core, this.#registry)];
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Of the process only from the first question on: to measure the event loop wakes it up. */
  text(): Promise<string> {
    if (!this.#hasProcess) collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
    this.#hasProcess = true;
    for (const update of this.#updates) update();
    return this.#registry.metrics();
  }

  #take(lives: readonly Live[], { action, patch }: Pick<Change, "action" | "patch">): void {
    if (action === "delegation.claimed" || action === "delegation.borrowed")
      for (const { record } of lives) this.#grants.inc({ device: record.device });
    if (!patch.state || !isFinal(patch.state)) return;
    for (const { record } of lives) if (record.reason) this.#ends.inc({ reason: record.reason });
    const { proof } = patch;
    if (proof?.durationUs == null) return;
    for (const _ of lives) this.#revokes.observe({ method: proof.method }, proof.durationUs / 1e6);
  }
}

/** What is counted elsewhere. */
function addCounts(core: Core, registry: Registry): () => void {
  const registers = [registry];
  const refusals = new Counter({
    name: "lendbuf_refusals_total",
    help: "Requests that were refused, by code.",
    labelNames: ["code"],
    registers,
  });
  const lost = new Counter({
    name: "lendbuf_audit_copy_lost_total",
    help: "Entries that did not reach the audit's copy (journal, syslog). The audit has them.",
    registers,
  });
  return () => {
    refusals.reset();
    for (const code of [...ERROR_CODES, ...DOOR_CODES]) refusals.inc({ code }, 0);
    for (const [code, count] of core.refusals.counts) refusals.inc({ code }, count);
    lost.reset();
    lost.inc(core.auditCopy?.lost ?? 0);
  };
}
