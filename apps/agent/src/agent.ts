import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Config } from "@lendbuf/config/config";
import { raiseFileLimit } from "@lendbuf/native/addon";
import type { AuditRow } from "@lendbuf/shared/audit";
import { Accounts } from "./accounts/accounts.ts";
import { Oidc } from "./accounts/oidc.ts";
import { Passwords } from "./accounts/passwords.ts";
import { Refusals } from "./accounts/refusals.ts";
import { Sessions } from "./accounts/sessions.ts";
import { Tokens } from "./accounts/tokens.ts";
import { appRouter } from "./api/router.ts";
import { Between } from "./between/between.ts";
import { Hooks } from "./between/hooks.ts";
import { Broker } from "./broker/broker.ts";
import { Buffers } from "./buffers/buffers.ts";
import { Deadlines } from "./clock/deadlines.ts";
import { Signal } from "./clock/signal.ts";
import type { Core } from "./core.ts";
import { Ledger } from "./delegations/ledger.ts";
import type { Live } from "./delegations/live.ts";
import { advance, advanceAll } from "./delegations/queue.ts";
import { restore } from "./delegations/restore.ts";
import type { Device } from "./devices/device.ts";
import { Devices } from "./devices/devices.ts";
import { Drains } from "./devices/drains.ts";
import { Scans } from "./holders/scans.ts";
import { HttpDoor } from "./http/door.ts";
import { AlreadyRunning, StateLock } from "./lock.ts";
import { createLog } from "./log.ts";
import { AuditCopy } from "./monitoring/audit-copy.ts";
import { Metrics } from "./monitoring/metrics.ts";
import { Notify } from "./monitoring/notify.ts";
import { Policy } from "./policy/policy.ts";
import { beginDue } from "./reservations/begin.ts";
import { Book } from "./reservations/book.ts";
import { watchDrains } from "./revocation/drain.ts";
import { end, ended, takeLoss, takeResults } from "./revocation/end.ts";
import { ExportBook } from "./revocation/export-book.ts";
import { takeStrays } from "./revocation/strays.ts";
import { onDeadline } from "./revocation/triggers.ts";
import { dropOld } from "./store/retention.ts";
import { AuditSearch } from "./store/search.ts";
import { Store } from "./store/store.ts";
import { Views } from "./wardens/views.ts";

/** Where the dashboard's build puts it, as seen from the bundle and from the sources alike. */
const DASHBOARD = fileURLToPath(new URL("../../web/dist", import.meta.url));
const WANTED_FILES = 65_536;
const STORE_RETRY_MS = 1000;
const HOUR_MS = 3_600_000;
const DECIDED_MS = 1000;

type Closer = (leave: boolean) => void | Promise<void>;

export interface Agent {
  readonly core: Core;
  /** Ends every delegation and everything that was started, in reverse; `leave`: what is exported is left to the next agent. */
  close(leave: boolean): Promise<void>;
}

/** Puts the parts together and opens the doors. @throws AlreadyRunning; what a door that cannot be opened answers */
export async function startAgent(
  config: Config,
  version: string,
  readConfig: () => Config = () => config,
): Promise<Agent> {
  const { stateDirectory } = config;
  const notify = new Notify(process.env);
  const closers: Closer[] = [];
  const close = async (leave: boolean) => {
    for (const closer of closers.splice(0).reverse()) await closer(leave);
  };
  try {
    makeStateFolder(stateDirectory);
    const lock = new StateLock(stateDirectory, config.socketPath);
    closers.push(() => lock.release());
    takeLock(lock);
    const { core, devices, auditCopy } = build({ config, version, readConfig }, lock);
    closers.push(
      () => core.clock.close(),
      () => auditCopy?.close(),
      () => core.store.close(),
      () => core.refusals.flush(),
    );
    closers.push((leave) => devices.close(leave));
    await devices.start(lock.isHeld);
    const metrics = new Metrics(core); // it counts from the first end on
    restore(core);
    watchDrains(core);
    beginDue(core);
    watchStore(core);
    if (config.auditKeepMs !== null) {
      const closing = new AbortController();
      closers.push(() => closing.abort());
      dropOldEntries(core, config.auditKeepMs, closing.signal);
    }
    await openDoors(core, metrics, closers);
    closers.push(() => notify.stopping(core));
    notify.ready(core);
    return { core, close };
  } catch (cause) {
    await close(config.adoptMs > 0); // what was taken over waits for the next one
    throw cause;
  }
}

/** @throws AlreadyRunning */
function takeLock(lock: StateLock): void {
  try {
    lock.take();
  } catch (cause) {
    if (cause instanceof AlreadyRunning) throw cause;
    // A folder that cannot be written: the store says so, lends nothing, and takes the lock before it opens.
  }
}

function makeStateFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch {
    // The store finds the same and says what to do.
  }
}

function build(
  { config, version, readConfig }: Pick<Core, "config" | "version" | "readConfig">,
  lock: StateLock,
): { core: Core; devices: Devices; auditCopy: AuditCopy | null } {
  const { stateDirectory, durability } = config;
  const log = createLog();
  const clock = new Deadlines();
  const changed = new Signal();
  const audited = new Signal();
  const store = new Store({ directory: stateDirectory, durability, takeLock: () => lock.take() });
  const auditCopy = config.auditCopy && new AuditCopy(config.auditCopy, log);
  store.onRow = (row) => {
    audited.notify();
    auditCopy?.take(row);
    if (log.isLevelEnabled("info")) log.info(idsOf(row), "audit");
  };
  const ledger = new Ledger(store, clock, changed);
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const { adoptMs } = config;
  const reservations = new Book(store);
  const drains = new Drains(store);
  const parts = { stateDirectory, bootId, adoptMs, clock, log, drains };
  const devices = new Devices(config.devices, parts, (device) => ({
    onChange: () => {
      if (device().isReady) takeUp(core, device());
      changed.notify();
    },
    onRevoked: (warden, entries) => {
      takeStrays(warden, entries);
      takeResults(core, warden, entries);
    },
    onLost: (warden) => takeLoss(core, warden),
  }));
  const accounts = new Accounts(store, config);
  const buffers = new Buffers<Live>(store, devices.byName, reservations.byBuffer);
  const between = new Between({
    store,
    log,
    hooks: new Hooks(config.hooks, log),
    resetIdle: config.resetIdle,
    buffers,
    lives: () => ledger.live.values(),
    onChange: (buffer) => {
      if (!buffer.isWithheld) advance(core, buffer);
      ledger.changed.notify();
    },
  });
  const core: Core = {
    config,
    readConfig,
    log,
    clock,
    store,
    search: new AuditSearch(store),
    ledger,
    devices: devices.byName,
    drains,
    buffers,
    reservations,
    reserved: new Signal(ledger.changed),
    alarms: { reservations: null, drains: null, idle: null },
    between,
    exports: new ExportBook(),
    views: new Views(clock),
    scans: new Scans(() => ledger.live.values()),
    accounts,
    policy: new Policy(store, config.rules),
    refusals: new Refusals(store, clock),
    sessions: new Sessions(store),
    tokens: new Tokens(store),
    passwords: new Passwords(store, accounts, clock),
    oidc: config.oidc && new Oidc(config.oidc, accounts, log),
    bootId,
    startedAt: Date.now(),
    version,
    fileLimit: raiseFileLimit(WANTED_FILES),
    doors: {
      url: null,
      remoteUrl: null,
      isOpen: false,
      counts: () => ({ socket: 0, websocket: 0 }),
      dismiss: () => {},
      isLeaving: false,
    },
    auditCopy,
    audited,
    changed,
  };
  ledger.onEnd = (record) => core.policy.held.add(record);
  ledger.onDeadline = (live) => onDeadline(core, live);
  return { core, devices, auditCopy };
}

/** It has a warden that works: what it comes with can be lent, and who waits for it is next. */
function takeUp(core: Core, device: Device): void {
  core.buffers.takeUp(device);
  // Of one that was taken over some is lent, which only the books tell: they are read next (delegations/adopt.ts).
  if (device.inheritance?.isInBooks !== false) core.between.takeUp(device);
  advanceAll(core);
}

/** By which a line of the log, an entry of the audit and a delegation are found from each other. */
function idsOf({ seq, action, actor, delegation, delegations, buffer }: AuditRow): object {
  const many = delegations ? { delegations: JSON.parse(delegations) as number[] } : {};
  return {
    seq,
    action,
    actor,
    ...(delegation !== null && { delegation }),
    ...many,
    ...(buffer !== null && { buffer }),
  };
}

/** Goes on by itself when the store can be written again. */
function watchStore(core: Core): void {
  core.clock.after(STORE_RETRY_MS, () => {
    const wasRefusing = core.store.problem !== null || core.store.unwritten > 0;
    if (wasRefusing && core.store.retry()) {
      core.ledger.learnNextId();
      core.buffers.load();
      core.accounts.load();
      core.policy.load();
      for (const device of core.devices.values()) if (device.isReady) core.between.takeUp(device);
      core.sessions.load();
      core.tokens.load();
      core.passwords.load();
      core.reservations.load();
      core.drains.load();
      restore(core);
      watchDrains(core);
      beginDue(core);
      core.changed.notify();
    }
    watchStore(core);
  });
}

/** Looks every hour, or where less is kept ten times within that. */
function dropOldEntries(core: Core, keepMs: number, closing: AbortSignal): void {
  const next = Math.min(HOUR_MS, Math.max(keepMs / 10, 1000));
  dropOld(core.store, Date.now() - keepMs, core.ledger.live.keys())
    .then(
      (dropped) => dropped > 0 && core.log.info({ dropped, anchor: core.store.anchor }, "old audit entries dropped"),
    )
    .catch((cause: unknown) => core.log.warn({ cause }, "old audit entries could not be dropped"))
    .finally(() => closing.aborted || core.clock.after(next, () => dropOldEntries(core, keepMs, closing)));
}

/** Nothing that was exported outlives the agent, unless it is left to the next one; who waits or has an offer finds it again. */
async function endExports(core: Core, leave: boolean): Promise<void> {
  core.doors.isLeaving = leave;
  if (leave) return endDecided(core);
  const exported = [...core.ledger.live.values()].filter(({ record }) => record.state === "active");
  end(core, exported, "agent-restart", "agent");
  await ended(core, exported, core.config.confirmMs);
}

/** Ends that were decided keep their reason: it may not be written yet. What takes longer is. */
function endDecided(core: Core): Promise<void> {
  const revoking = [...core.ledger.live.values()].filter(({ record }) => record.state === "revoking");
  return ended(core, revoking, DECIDED_MS);
}

async function openDoors(core: Core, metrics: Metrics, closers: Closer[]): Promise<void> {
  const door = new HttpDoor(core, metrics, DASHBOARD);
  closers.push(() => door.close());
  core.doors.url = await door.listen(core.config.port);
  if (core.config.tls) core.doors.remoteUrl = await door.listenTls(core.config.tls);
  const broker = new Broker(core, appRouter, core.config.socketPath);
  closers.push(() => broker.close());
  core.doors.counts = () => ({ socket: broker.clients, websocket: door.clients });
  core.doors.dismiss = (account) => broker.dismiss(account);
  core.doors.isOpen = true;
  closers.push(
    () => core.between.close(),
    (leave) => endExports(core, leave),
  );
}
