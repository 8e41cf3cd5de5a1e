import type { Config } from "./config.ts";

/** What of a configuration each option is, and whether a running agent takes a change of it up. */
const OPTIONS: readonly { name: string; reloads: boolean; of: (config: Config) => unknown }[] = [
  { name: "port", reloads: false, of: ({ port }) => port },
  { name: "state", reloads: false, of: ({ stateDirectory }) => stateDirectory },
  { name: "socket", reloads: false, of: ({ socketPath }) => socketPath },
  { name: "durability", reloads: false, of: ({ durability }) => durability },
  { name: "devices", reloads: false, of: ({ devices }) => devices.pci },
  { name: "simulated", reloads: false, of: ({ devices }) => devices.simulated },
  { name: "system-memory", reloads: false, of: ({ devices }) => devices.systemMemory },
  { name: "bus-master", reloads: false, of: ({ devices }) => devices.busMasters },
  { name: "revoke-feature", reloads: false, of: ({ devices }) => devices.revokeFeature },
  { name: "rungs", reloads: false, of: ({ devices }) => devices.rungs },
  { name: "listen, tls-cert, tls-key", reloads: false, of: ({ tls }) => tls },
  { name: "adopt-time", reloads: false, of: ({ adoptMs }) => adoptMs },
  { name: "audit-copy", reloads: false, of: ({ auditCopy }) => auditCopy },
  { name: "audit-keep", reloads: false, of: ({ auditKeepMs }) => auditKeepMs },
  { name: "reset-idle", reloads: false, of: ({ resetIdle }) => resetIdle },
  { name: "oidc-…", reloads: false, of: ({ oidc }) => oidc },
  { name: "hooks", reloads: false, of: ({ hooks }) => hooks },
  { name: "max-lease", reloads: true, of: ({ maxLeaseMs }) => maxLeaseMs },
  { name: "offer-time", reloads: true, of: ({ offerMs }) => offerMs },
  { name: "notice", reloads: true, of: ({ noticesMs }) => noticesMs },
  { name: "priority", reloads: true, of: ({ priorities }) => [...priorities] },
  { name: "max-reservations", reloads: true, of: ({ reservationsPerUid }) => reservationsPerUid },
  { name: "max-ahead", reloads: true, of: ({ maxAheadMs }) => maxAheadMs },
  { name: "no-show", reloads: true, of: ({ noShowMs }) => noShowMs },
  { name: "max-connections", reloads: true, of: ({ connectionsPerUid }) => connectionsPerUid },
  { name: "max-delegations", reloads: true, of: ({ delegationsPerUid }) => delegationsPerUid },
  { name: "max-waiting", reloads: true, of: ({ waitingPerUid }) => waitingPerUid },
  { name: "allow-irrevocable", reloads: true, of: ({ allowIrrevocable }) => allowIrrevocable },
  { name: "visibility", reloads: true, of: ({ visibility }) => visibility },
  { name: "others", reloads: true, of: ({ others }) => others },
  { name: "groups", reloads: true, of: ({ groupRoles }) => [...groupRoles] },
];

/** What of a running agent's configuration follows another one at once. */
export function takeOver(running: Config, next: Config): void {
  const { accounts, rules, maxLeaseMs, offerMs, noticeMs, connectionsPerUid, delegationsPerUid, waitingPerUid } = next;
  const { allowIrrevocable, visibility, others, groupRoles } = next;
  Object.assign(running, { accounts, rules, maxLeaseMs, offerMs, noticeMs, connectionsPerUid, delegationsPerUid });
  Object.assign(running, { waitingPerUid, allowIrrevocable, visibility, others, groupRoles });
  const { noticesMs, priorities, reservationsPerUid, maxAheadMs, noShowMs } = next;
  Object.assign(running, { noticesMs, priorities, reservationsPerUid, maxAheadMs, noShowMs });
}

/** How two configurations differ: what a running agent takes up, and what counts from its next start. */
export function differences(before: Config, after: Config): { changed: string[]; needsRestart: string[] } {
  const differing = OPTIONS.filter(({ of }) => !isSame(of(before), of(after)));
  const named = (reloads: boolean) => differing.filter((option) => option.reloads === reloads).map(({ name }) => name);
  return {
    changed: [
      ...named(true),
      ...differingOf("accounts", before.accounts.map(withoutTime), after.accounts.map(withoutTime)),
      ...differingOf("rules", before.rules, after.rules),
      ...(isOrderChanged(before, after) ? ["order of rules"] : []),
    ],
    needsRestart: named(false),
  };
}

/** Its time is the file's, whatever was changed in it. */
function withoutTime<Named extends { createdAt: number }>({ createdAt, ...rest }: Named) {
  return rest;
}

function differingOf(kind: string, before: readonly { name: string }[], after: readonly { name: string }[]): string[] {
  const names = new Set([...before, ...after].map(({ name }) => name));
  const find = (among: readonly { name: string }[], name: string) => among.find((one) => one.name === name);
  return [...names].filter((name) => !isSame(find(before, name), find(after, name))).map((name) => `${kind}.${name}`);
}

function isOrderChanged({ rules: before }: Config, { rules: after }: Config): boolean {
  const namesOf = (rules: Config["rules"], others: Config["rules"]) =>
    rules.map(({ name }) => name).filter((name) => others.some((one) => one.name === name));
  return !isSame(namesOf(before, after), namesOf(after, before));
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
