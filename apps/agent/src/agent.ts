import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Config } from "@lendbuf/config/config";
import { raiseFileLimit } from "@lendbuf/native/addon";
import { Accounts } from "./accounts/accounts.ts";
import { Sessions } from "./accounts/sessions.ts";
import { Tokens } from "./accounts/tokens.ts";
import { appRouter } from "./api/router.ts";
import { Broker } from "./broker/broker.ts";
import { Buffers } from "./buffers/buffers.ts";
import { Deadlines } from "./clock/deadlines.ts";
import { Signal } from "./clock/signal.ts";
import type { Core } from "./core.ts";
import { Ledger } from "./delegations/ledger.ts";
import type { Live } from "./delegations/live.ts";
import { advanceAll } from "./delegations/queue.ts";
import { restore } from "./delegations/restore.ts";
import type { Device } from "./devices/device.ts";
import { Devices } from "./devices/devices.ts";
import { Scans } from "./holders/scans.ts";
import { HttpDoor } from "./http/door.ts";
import { AlreadyRunning, StateLock } from "./lock.ts";
import { createLog } from "./log.ts";
import { Policy } from "./policy/policy.ts";
import { end, ended, takeLoss, takeResults } from "./revocation/end.ts";
import { ExportBook } from "./revocation/export-book.ts";
import { onDeadline } from "./revocation/triggers.ts";
import { Store } from "./store/store.ts";
import { Views } from "./wardens/views.ts";

/** Where the dashboard's build puts it, as seen from the bundle and from the sources alike. */
const DASHBOARD = fileURLToPath(new URL("../../web/dist", import.meta.url));
const WANTED_FILES = 65_536;
const STORE_RETRY_MS = 1000;

export interface Agent {
  readonly core: Core;
  /** Ends every delegation and everything that was started, in reverse. */
  close(): Promise<void>;
}

/** Puts the parts together and opens the doors. @throws AlreadyRunning; what a door that cannot be opened answers */
export async function startAgent(
  config: Config,
  version: string,
  readConfig: () => Config = () => config,
): Promise<Agent> {
  const { stateDirectory } = config;
  const closers: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    makeStateFolder(stateDirectory);
    const lock = new StateLock(stateDirectory, config.socketPath);
    closers.push(() => lock.release());
    takeLock(lock);
    const { core, devices } = build({ config, version, readConfig }, lock);
    closers.push(
      () => core.clock.close(),
      () => core.store.close(),
    );
    closers.push(() => devices.close());
    await devices.start();
    restore(core);
    watchStore(core);
    await openDoors(core, closers);
    return { core, close };
  } catch (cause) {
    await close();
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
): { core: Core; devices: Devices } {
  const { stateDirectory, durability } = config;
  const log = createLog();
  const clock = new Deadlines();
  const changed = new Signal();
  const audited = new Signal();
  const store = new Store({ directory: stateDirectory, durability, takeLock: () => lock.take() });
  store.onRow = () => audited.notify();
  const ledger = new Ledger(store, clock, changed);
  const devices = new Devices(config.devices, { stateDirectory, clock, log }, (device) => ({
    onChange: () => {
      if (device().isReady) takeUp(core, device());
      changed.notify();
    },
    onRevoked: (warden, entries) => takeResults(core, warden, entries),
    onLost: (warden) => takeLoss(core, warden),
  }));
  const core: Core = {
    config,
    readConfig,
    log,
    clock,
    store,
    ledger,
    devices: devices.byName,
    buffers: new Buffers<Live>(store, devices.byName),
    exports: new ExportBook(),
    views: new Views(clock),
    scans: new Scans(() => ledger.live.values()),
    accounts: new Accounts(store, config),
    policy: new Policy(store, config.rules),
    sessions: new Sessions(store),
    tokens: new Tokens(store),
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    startedAt: Date.now(),
    version,
    fileLimit: raiseFileLimit(WANTED_FILES),
    doors: { url: null, remoteUrl: null, clients: () => 0, dismiss: () => {} },
    audited,
    changed,
  };
  ledger.onEnd = (record) => core.policy.held.add(record);
  ledger.onDeadline = (live) => onDeadline(core, live);
  return { core, devices };
}

/** It has a warden that works: what it comes with can be lent, and who waits for it is next. */
function takeUp(core: Core, device: Device): void {
  core.buffers.takeUp(device);
  advanceAll(core);
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
      core.sessions.load();
      core.tokens.load();
      restore(core);
      core.changed.notify();
    }
    watchStore(core);
  });
}

/** Nothing that was exported outlives the agent; who waits or has an offer finds it again. */
async function endExports(core: Core): Promise<void> {
  const exported = [...core.ledger.live.values()].filter(({ record }) => record.state === "active");
  end(core, exported, "agent-restart", "agent");
  await ended(core, exported, core.config.confirmMs);
}

async function openDoors(core: Core, closers: (() => void | Promise<void>)[]): Promise<void> {
  const door = new HttpDoor(core, DASHBOARD);
  closers.push(() => door.close());
  core.doors.url = await door.listen(core.config.port);
  if (core.config.tls) core.doors.remoteUrl = await door.listenTls(core.config.tls);
  const broker = new Broker(core, appRouter, core.config.socketPath);
  closers.push(() => broker.close());
  core.doors.clients = () => broker.clients + door.clients;
  core.doors.dismiss = (account) => broker.dismiss(account);
  closers.push(() => endExports(core));
}
