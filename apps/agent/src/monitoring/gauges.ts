import { isFinal, STATES } from "@lendbuf/shared/delegation";
import { Gauge, type Registry } from "prom-client";
import type { Core } from "../core.ts";
import { STUCK_MS } from "./health.ts";

const LIVE_STATES = STATES.filter((state) => !isFinal(state));

type Update = () => void;
type Make = <Label extends string>(name: string, help: string, ...labelNames: Label[]) => Gauge<Label>;

/** What is so at the moment of the question: each of the answers sets some of them anew. */
export function addGauges(core: Core, registry: Registry): Update[] {
  const gauge: Make = (name, help, ...labelNames) =>
    new Gauge({ name: `lendbuf_${name}`, help, labelNames, registers: [registry] });
  gauge("info", "Always 1: which agent this is.", "version").set({ version: core.version }, 1);
  gauge("start_time_seconds", "When this agent started, since 1970.").set(core.startedAt / 1000);
  const connections = gauge("connections", "Open connections of clients, by door.", "door");
  return [
    addDelegations(core, gauge),
    addDevices(core, gauge),
    addStore(core, gauge),
    () => {
      for (const [door, count] of Object.entries(core.doors.counts())) connections.set({ door }, count);
    },
  ];
}

/** The delegations are walked through once for all that is asked of them. */
function addDelegations({ ledger, devices, buffers }: Core, gauge: Make): Update {
  const delegations = gauge("delegations", "Delegations that have not ended, by device and state.", "device", "state");
  const stuck = gauge("revokes_stuck", "Ends decided more than a second ago that are not proven.", "device");
  const oldest = gauge("revoke_oldest_seconds", "How long ago the oldest end was decided that is not proven; 0: none.");
  const unproven = gauge("delegations_unproven", "Ends that nobody can prove any more.");
  const unrecorded = gauge("delegations_unrecorded", "Changes in force that the store has not taken yet.");
  const longest = gauge("queue_longest", "How many wait for the buffer that most wait for.");
  const total = gauge("buffers", "Buffers that can be lent.");
  return () => {
    const now = Date.now();
    const found = { since: now, unproven: 0, unrecorded: 0, longest: 0 };
    const byState = new Map<string, Map<string, number>>();
    const stuckOf = new Map<string, number>();
    for (const device of devices.keys()) byState.set(device, new Map());
    for (const live of ledger.live.values()) {
      const { device, state, revocation } = live.record;
      const states = byState.get(device) ?? new Map<string, number>();
      byState.set(device, states.set(state, (states.get(state) ?? 0) + 1));
      if (live.unrecorded) found.unrecorded++;
      if (state === "waiting") found.longest = Math.max(found.longest, live.target.queue.length);
      if (state !== "revoking" || !revocation) continue;
      if (revocation.unproven) found.unproven++;
      found.since = Math.min(found.since, revocation.since);
      if (now - revocation.since > STUCK_MS) stuckOf.set(device, (stuckOf.get(device) ?? 0) + 1);
    }
    delegations.reset();
    stuck.reset();
    for (const [device, states] of byState) {
      for (const state of LIVE_STATES) delegations.set({ device, state }, states.get(state) ?? 0);
      stuck.set({ device }, stuckOf.get(device) ?? 0);
    }
    oldest.set((now - found.since) / 1000);
    unproven.set(found.unproven);
    unrecorded.set(found.unrecorded);
    longest.set(found.longest);
    total.set(buffers.size);
  };
}

function addDevices({ devices }: Core, gauge: Make): Update {
  const ready = gauge("device_ready", "1 where the device can be lent, else 0.", "device");
  const suspended = gauge("device_suspended", "1 where its memory is out of everybody's reach for now.", "device");
  return () => {
    for (const device of devices.values()) {
      ready.set({ device: device.name }, device.isReady ? 1 : 0);
      suspended.set({ device: device.name }, device.isSuspended ? 1 : 0);
    }
  };
}

function addStore({ store }: Core, gauge: Make): Update {
  const refusing = gauge("store_refusing", "1 where nothing new can be recorded, hence lent; else 0.");
  const unwritten = gauge("store_unwritten", "Entries that wait for the store.");
  const head = gauge("audit_last_seq", "The place of the audit's newest entry.");
  const first = gauge("audit_first_seq", "The place of the oldest entry that is kept.");
  return () => {
    refusing.set(store.problem ? 1 : 0);
    unwritten.set(store.unwritten);
    head.set(store.head.seq);
    first.set(store.tail);
  };
}
