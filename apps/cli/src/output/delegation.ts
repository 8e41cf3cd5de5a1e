// A delegation in words.
import type { Unfinished } from "@lendbuf/shared/api";
import type { Delegation, Proof, Revocation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { formatSize } from "@lendbuf/shared/size";
import type { Style } from "./style.ts";
import type { Column } from "./table.ts";
import { clock, relative } from "./time.ts";

export function describeAccess({ access, share }: Pick<Delegation, "access" | "share">): string {
  return share === "shared" ? `${access}, shared` : access;
}

/** "ftruncate, size 0, 0.09 ms": how the kernel confirmed that nobody reaches the memory. */
export function describeProof(proof: Proof): string {
  if (proof.method === "never-exported") return "was never exported";
  const answer = proof.answer === "0" ? "" : proof.answer;
  const duration = proof.durationUs === null ? "" : `${(proof.durationUs / 1000).toFixed(2)} ms`;
  const by = proof.by === "warden" ? "" : `seen by the ${proof.by}`;
  return [proof.method, answer, proof.probe, duration, by].filter(Boolean).join(", ");
}

/** How far its end has come: the proof, or on what it waits. */
export function describeEnd(delegation: Delegation): string {
  const { state, proof, revocation } = delegation;
  const unwritten = delegation.unrecorded ? "; not yet recorded" : "";
  if (state === "cancelled") return `was never exported${unwritten}`;
  if (proof) return describeProof(proof) + unwritten;
  return revocation ? describeWait(revocation) + unwritten : "";
}

function describeWait({ waitingFor, lastErrno, unproven, method }: Partial<Revocation>): string {
  const doubt = unproven ? "; nobody can tell whether the memory can still be reached" : "";
  const refusal = lastErrno ? `; ${method ?? "the kernel"} answered ${lastErrno}` : "";
  return `waits: ${waitingFor ?? "the kernel has been asked"}${refusal}${doubt}`;
}

/** "place 2, in 12m 5s at the latest": the agent knows no time where an end before it waits for the kernel. */
export function describePlace({ position, expectedAt }: Delegation): string {
  const place = position === null ? "in line" : `place ${position}`;
  return `${place}, ${expectedAt === null ? "nobody can tell how long" : `${relative(expectedAt)} at the latest`}`;
}

function describeTime(delegation: Delegation): string {
  const { state, offerEndsAt, expiresAt, ending, reason, endedAt } = delegation;
  if (ending) return `${ending.reason} ${relative(ending.at)}`;
  if (state === "waiting") return describePlace(delegation);
  if (state === "offered") return offerEndsAt === null ? "" : `lapses ${relative(offerEndsAt)}`;
  if (state === "active") return expiresAt === null ? "" : relative(expiresAt);
  return [reason, endedAt === null ? "" : relative(endedAt)].filter(Boolean).join(" ");
}

export function styleOf({ state, suspended }: Delegation): Style | undefined {
  if (state === "active") return suspended ? "yellow" : "green";
  if (state === "revoking") return "red";
  return state === "offered" || state === "waiting" ? "cyan" : "dim";
}

export function describeClient(client: Delegation["client"]): string {
  return client ? `${client.pid} ${client.command ?? ""}`.trimEnd() : "";
}

export const DELEGATION_COLUMNS: readonly Column<Delegation>[] = [
  { title: "ID", cell: ({ id }) => String(id), align: "right" },
  { title: "BUFFER", cell: ({ buffer }) => buffer },
  { title: "ACCOUNT", cell: ({ account }) => account, leaveOut: 4 },
  { title: "STATE", cell: (it) => (it.suspended ? `${it.state}, suspended` : it.state), style: styleOf },
  { title: "ENDS", cell: describeTime },
  { title: "ACCESS", cell: describeAccess, leaveOut: 2 },
  {
    title: "CLIENT",
    cell: ({ client }) => describeClient(client),
    leaveOut: 3,
  },
  { title: "PURPOSE", cell: ({ purpose }) => purpose ?? "", leaveOut: 1 },
];

/** What `revoke`, `release` and the like say of each: id, buffer, account, state, how the kernel confirmed it. */
export const END_COLUMNS: readonly Column<Delegation>[] = [
  { title: "ID", cell: ({ id }) => String(id), align: "right" },
  { title: "BUFFER", cell: ({ buffer }) => buffer },
  { title: "ACCOUNT", cell: ({ account }) => account, leaveOut: 1 },
  { title: "STATE", cell: ({ state }) => state, style: styleOf },
  { title: "HOW", cell: (it) => (it.ending ? `${it.ending.reason} ${relative(it.ending.at)}` : describeEnd(it)) },
];

/** What a panic could not finish. */
export const UNFINISHED_COLUMNS: readonly Column<Unfinished>[] = [
  { title: "ID", cell: ({ id }) => String(id), align: "right" },
  { title: "BUFFER", cell: ({ buffer }) => buffer },
  { title: "ACCOUNT", cell: ({ account }) => account, leaveOut: 1 },
  { title: "WHY", cell: describeWait },
];

/** All that is known of one. */
export function factsOf(delegation: Delegation): [name: string, value: string][] {
  const { id, buffer, device, account, requestedBy, client, purpose, exporter, size, leaseMs, keep } = delegation;
  const facts: [string, string | false | null][] = [
    ["delegation", String(id)],
    ["buffer", `${buffer} of ${device}, ${formatSize(size)}`],
    ["account", requestedBy === account ? account : `${account}, asked for by ${requestedBy}`],
    ["state", delegation.suspended ? `${delegation.state}, suspended` : delegation.state],
    ["ends", describeTime(delegation)],
    ["end", describeEnd(delegation)],
    ["access", describeAccess(delegation)],
    ["lease", `${formatDuration(leaseMs)} from the claim on${keep ? "; kept when its client disconnects" : ""}`],
    ["exporter", exporter],
    ["client", client && `pid ${client.pid}, uid ${client.uid} ${client.command ?? ""}`.trimEnd()],
    ["purpose", purpose],
    ...timesOf(delegation),
  ];
  return facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

function timesOf({ requestedAt, offeredAt, claimedAt, endedAt }: Delegation): [string, string | null][] {
  const times: [string, number | null][] = [
    ["requested", requestedAt],
    ["offered", offeredAt],
    ["claimed", claimedAt],
    ["ended", endedAt],
  ];
  return times.map(([name, at]) => [name, at === null ? null : clock(at)]);
}
