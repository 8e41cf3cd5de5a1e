import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ACCOUNT, type Account } from "@lendbuf/shared/account";
import { BUFFER_NAME, PAGE_SIZE } from "@lendbuf/shared/buffer";
import { parseDuration } from "@lendbuf/shared/duration";
import { defaultConfigPath, defaultSocketPath, defaultStateDirectory } from "@lendbuf/shared/paths";
import { ROLES, type Role } from "@lendbuf/shared/role";
import type { Rule } from "@lendbuf/shared/rule";
import { parseSize } from "@lendbuf/shared/size";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { type FileContents, type Given as InFile, readFile } from "./file.ts";
import { type Hook, parseHooks } from "./hook-definitions.ts";
import { type OidcChoice, readOidc } from "./oidc-config.ts";

export interface Config {
  /** The file that was read; null: there is none. */
  file: string | null;
  /** Those that stand in it. */
  accounts: readonly Account[];
  rules: readonly Rule[];
  /** Of 127.0.0.1; 0: any free one. */
  port: number;
  stateDirectory: string;
  socketPath: string;
  host: string;
  connectionsPerUid: number;
  delegationsPerUid: number;
  waitingPerUid: number;
  maxLeaseMs: number;
  /** How long an offer stands that names no time of its own. */
  offerMs: number;
  /** The highest priority that an account may ask with; 0 for all others. */
  priorities: ReadonlyMap<string, number>;
  reservationsPerUid: number;
  maxAheadMs: number;
  /** How long a reservation whose time has come waits to be claimed. */
  noShowMs: number;
  /** How long before a lease's end its client is told, the longest first. */
  noticesMs: readonly number[];
  /** The shortest of these: how long before an end that the agent itself announces. */
  noticeMs: number;
  /** How long a call waits for the kernel to confirm an end before it answers "revoking". */
  confirmMs: number;
  /** How long wardens, with what they have exported, wait for another agent once this one is gone; 0: they do not. */
  adoptMs: number;
  /** SQLite's synchronous: FULL also survives a power cut, at the price of a disk flush per decision. */
  durability: "NORMAL" | "FULL";
  /** Where the audit is copied to; null: nowhere. */
  auditCopy: { format: "journal" | "syslog"; socket: string } | null;
  /** How old entries of the audit become; null: they are kept for good. */
  auditKeepMs: number | null;
  devices: DeviceChoice;
  /** Buffers and devices of which may be lent what nothing takes back by force. */
  allowIrrevocable: readonly string[];
  /** Whose delegations viewers and members see. */
  visibility: "all" | "own";
  /** A door over TLS that others on the network reach. */
  tls: { address: string; port: number; files: { cert: string; key: string } } | null;
  /** What a uid may do that no account and no group names; null: nothing. */
  others: Role | null;
  /** What the members of a group of this host may do, by its name. */
  groupRoles: ReadonlyMap<string, Role>;
  /** Who else says who somebody is; null: nobody. */
  oidc: OidcChoice | null;
  /** Devices that are reset when nobody has anything of them any more. */
  resetIdle: readonly string[];
  /** What an operator has run between borrowers. */
  hooks: readonly Hook[];
}

/** Which devices are ours to lend. */
export interface DeviceChoice {
  simulated: boolean;
  /** By their BDFs; `auto`: whatever vfio-pci has. */
  pci: "auto" | readonly string[];
  /** The number of VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE in this kernel; not settled upstream, so it is told. */
  revokeFeature: number | null;
  /** The ways to take memory back that may be used; empty: all that work. */
  rungs: readonly string[];
  /** Those that may start DMA by themselves. */
  busMasters: readonly string[];
  /** Bytes of the machine's own memory; null: none. */
  systemMemory: number | null;
}

const OPTIONS = {
  config: {
    type: "string",
    env: "LENDBUF_CONFIG",
    value: "FILE",
    help: "the configuration file, or none (root: /etc/lendbuf/agent.toml where it is there)",
  },
  port: {
    type: "string",
    env: "LENDBUF_PORT",
    value: "PORT",
    help: "of 127.0.0.1 for HTTP; 0 takes any free one (7117)",
  },
  state: { type: "string", env: "LENDBUF_STATE", value: "DIR", help: "folder of the store" },
  socket: { type: "string", env: "LENDBUF_SOCKET", value: "PATH", help: "unix socket for programs on this host" },
  "max-lease": { type: "string", env: "LENDBUF_MAX_LEASE", value: "TIME", help: "the longest lease (7d)" },
  "offer-time": {
    type: "string",
    env: "LENDBUF_OFFER_TIME",
    value: "TIME",
    help: "how long an unclaimed offer stands (2m)",
  },
  priority: {
    type: "string",
    env: "LENDBUF_PRIORITY",
    value: "ACCOUNT=N,…",
    help: "the highest priority with which an account may ask: uid:1000=10 (0)",
  },
  "max-reservations": {
    type: "string",
    env: "LENDBUF_MAX_RESERVATIONS",
    value: "N",
    help: "reservations ahead per uid (32)",
  },
  "max-ahead": {
    type: "string",
    env: "LENDBUF_MAX_AHEAD",
    value: "TIME",
    help: "how far ahead a reservation may begin (90d)",
  },
  "no-show": {
    type: "string",
    env: "LENDBUF_NO_SHOW",
    value: "TIME",
    help: "how long a reservation whose time has come waits to be claimed (15m)",
  },
  notice: {
    type: "string",
    env: "LENDBUF_NOTICE",
    value: "TIME,…",
    help: "how long before a lease's end its client is told, each time (10m,1m)",
  },
  "max-connections": { type: "string", env: "LENDBUF_MAX_CONNECTIONS", value: "N", help: "connections per uid (256)" },
  "max-delegations": {
    type: "string",
    env: "LENDBUF_MAX_DELEGATIONS",
    value: "N",
    help: "live delegations per uid (1024)",
  },
  "max-waiting": { type: "string", env: "LENDBUF_MAX_WAITING", value: "N", help: "queue entries per uid (256)" },
  devices: {
    type: "string",
    env: "LENDBUF_DEVICES",
    value: "auto|none|BDF,…",
    help: "PCI devices to lend; auto: whatever vfio-pci has (auto)",
  },
  simulated: {
    type: "string",
    env: "LENDBUF_SIMULATED",
    value: "on|off",
    help: "the simulated device sim0 (on)",
  },
  "system-memory": {
    type: "string",
    env: "LENDBUF_SYSTEM_MEMORY",
    value: "SIZE",
    help: "of this machine's own memory to lend, as the device ram0: 64MiB (none)",
  },
  "allow-irrevocable": {
    type: "string",
    env: "LENDBUF_ALLOW_IRREVOCABLE",
    value: "NAME,…",
    help: "buffers or devices that may be lent although nothing takes them back by force (none)",
  },
  "reset-idle": {
    type: "string",
    env: "LENDBUF_RESET_IDLE",
    value: "NAME,…",
    help: "devices that are reset when nobody has anything of them any more (none)",
  },
  hooks: {
    type: "string",
    env: "LENDBUF_HOOKS",
    value: "FILE",
    help: "JSON: programs to run before a buffer is lent and after a delegation's end (none)",
  },
  "bus-master": {
    type: "string",
    env: "LENDBUF_BUS_MASTER",
    value: "BDF,…",
    help: "devices that may do DMA while they are lent (none)",
  },
  "revoke-feature": {
    type: "string",
    env: "LENDBUF_REVOKE_FEATURE",
    value: "N",
    help: "this kernel's number of VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE (none)",
  },
  rungs: {
    type: "string",
    env: "LENDBUF_RUNGS",
    value: "METHOD,…",
    help: "of dma-buf-revoke, vfio-feature-revoke, device-close: those that may be used (all)",
  },
  "adopt-time": {
    type: "string",
    env: "LENDBUF_ADOPT_TIME",
    value: "TIME",
    help: "how long what is lent outlives the agent, for the next one to take over (off)",
  },
  listen: {
    type: "string",
    env: "LENDBUF_LISTEN",
    value: "ADDR:PORT",
    help: "also lets people in from elsewhere, over TLS: 0.0.0.0:7118, [::]:7118 (none)",
  },
  "tls-cert": {
    type: "string",
    env: "LENDBUF_TLS_CERT",
    value: "FILE",
    help: "with --listen: the certificate, in PEM, with its chain; taken up anew when it changes",
  },
  "tls-key": { type: "string", env: "LENDBUF_TLS_KEY", value: "FILE", help: "with --listen: the certificate's key" },
  visibility: {
    type: "string",
    env: "LENDBUF_VISIBILITY",
    value: "all|own",
    help: "own: viewers and members do not see who else has what (all)",
  },
  others: {
    type: "string",
    env: "LENDBUF_OTHERS",
    value: "ROLE|none",
    help: "what users of this host may do whom no account names: viewer, member, … (member)",
  },
  "group-role": {
    type: "string",
    env: "LENDBUF_GROUP_ROLE",
    value: "GROUP=ROLE,…",
    help: "what the members of a group of this host may do (none)",
  },
  "oidc-issuer": {
    type: "string",
    env: "LENDBUF_OIDC_ISSUER",
    value: "URL",
    help: "identity provider (OpenID Connect) by which people may sign in (none)",
  },
  "oidc-client-id": {
    type: "string",
    env: "LENDBUF_OIDC_CLIENT_ID",
    value: "ID",
    help: "how the provider knows this agent",
  },
  "oidc-client-secret-file": {
    type: "string",
    env: "LENDBUF_OIDC_CLIENT_SECRET_FILE",
    value: "FILE",
    help: "has the secret that the provider gave for it; not for others to read (none)",
  },
  "oidc-claim": {
    type: "string",
    env: "LENDBUF_OIDC_CLAIM",
    value: "CLAIM",
    help: "what the provider says of somebody that is the account's name (preferred_username)",
  },
  "oidc-scope": {
    type: "string",
    env: "LENDBUF_OIDC_SCOPE",
    value: "SCOPES",
    help: "what the provider is asked for, with spaces between (openid profile)",
  },
  "oidc-create": {
    type: "string",
    env: "LENDBUF_OIDC_CREATE",
    value: "GROUP=ROLE,…",
    help: "makes accounts for those whom the provider has in these groups (none)",
  },
  "oidc-groups-claim": {
    type: "string",
    env: "LENDBUF_OIDC_GROUPS_CLAIM",
    value: "CLAIM",
    help: "what the provider says of somebody's groups (groups)",
  },
  durability: {
    type: "string",
    env: "LENDBUF_DURABILITY",
    value: "normal|full",
    help: "full: a grant also survives a power cut",
  },
  "audit-copy": {
    type: "string",
    env: "LENDBUF_AUDIT_COPY",
    value: "TO",
    help: "copy the audit to journal or syslog, each or at another socket: syslog:/run/log (none)",
  },
  "audit-keep": {
    type: "string",
    env: "LENDBUF_AUDIT_KEEP",
    value: "TIME",
    help: "drop entries of the audit, and what ended then, once they are so old: 90d (never)",
  },
} as const;

export const USAGE = [
  "lendbuf agent: lends device memory and takes it back.",
  "",
  "Options (or the environment variable beside each):",
  ...Object.entries(OPTIONS).map(
    ([name, option]) => `  ${`--${name} ${option.value}`.padEnd(26)} ${option.env.padEnd(24)} ${option.help}`,
  ),
  `  ${"--help".padEnd(26)} ${"".padEnd(24)} this text`,
  "",
  'The configuration file has them by their names: max-lease = "8h". lendbuf config check says what is wrong with one.',
].join("\n");

type Environment = Record<string, string | undefined>;
type OptionName = keyof typeof OPTIONS;

const IN_FILE = Object.keys(OPTIONS).filter((name) => name !== "config");
const PATHS: readonly OptionName[] = ["state", "socket", "tls-cert", "tls-key", "hooks", "oidc-client-secret-file"];
const NO_FILE: FileContents = { options: new Map(), accounts: [], rules: [], problems: [] };

/**
 * What the command line, the environment and the file ask for, each before the next; "help" where that was asked.
 * @throws ConfigError with all that is wrong
 */
export function readConfig(args: string[], environment: Environment, uid: number): Config | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const file = fileFor(values.config ?? environment.LENDBUF_CONFIG, environment, uid);
  const contents = file === null ? NO_FILE : readFile(file, IN_FILE, uid);
  return new Reading(values, environment, file, contents).config(uid);
}

/** The file that is named must be there; that of the usual place may be. */
function fileFor(named: string | undefined, environment: Environment, uid: number): string | null {
  if (named === "none" || named === "") return null;
  if (named !== undefined) return resolve(named);
  const usual = defaultConfigPath(environment, uid);
  return usual !== null && existsSync(usual) ? usual : null;
}

/** Asks for one option after the other, and goes on where one cannot be, so that all that is wrong is said at once. */
class Reading {
  readonly #values: Partial<Record<OptionName, string>>;
  readonly #environment: Environment;
  readonly #file: FileContents;
  readonly #path: string | null;
  readonly #problems: string[];

  constructor(
    values: Partial<Record<OptionName, string>>,
    environment: Environment,
    path: string | null,
    file: FileContents,
  ) {
    this.#path = path;
    this.#values = values;
    this.#environment = environment;
    this.#file = file;
    this.#problems = [...file.problems];
  }

  config(uid: number): Config {
    const environment = this.#environment;
    const socketPath = resolve(this.#given("socket")?.value || defaultSocketPath(environment, uid));
    if (Buffer.byteLength(socketPath) > 107)
      this.#problems.push(
        `The socket's path has ${Buffer.byteLength(socketPath)} bytes, the kernel takes 107: ${socketPath}. Choose a shorter one with --socket.`,
      );
    const noticesMs = this.#read("notice", (given) => durations(given, "10m,1m")) ?? [0];
    const config: Config = {
      file: this.#path,
      accounts: this.#file.accounts,
      rules: this.#file.rules,
      port: this.#read("port", (given) => number(given, 7117, 0, 65_535)),
      stateDirectory: resolve(this.#given("state")?.value || defaultStateDirectory(environment, uid)),
      socketPath,
      host: hostname(),
      connectionsPerUid: this.#read("max-connections", (given) => number(given, 256, 1, 1_000_000)),
      delegationsPerUid: this.#read("max-delegations", (given) => number(given, 1024, 1, 1_000_000)),
      waitingPerUid: this.#read("max-waiting", (given) => number(given, 256, 1, 1_000_000)),
      maxLeaseMs: this.#read("max-lease", (given) => duration(given, "7d")),
      offerMs: this.#read("offer-time", (given) => duration(given, "2m")),
      priorities: this.#read("priority", priorities),
      reservationsPerUid: this.#read("max-reservations", (given) => number(given, 32, 0, 1_000_000)),
      maxAheadMs: this.#read("max-ahead", (given) => duration(given, "90d")),
      noShowMs: this.#read("no-show", (given) => duration(given, "15m")),
      noticesMs,
      noticeMs: noticesMs.at(-1)!,
      confirmMs: 5000,
      adoptMs: this.#read("adopt-time", adoptTime),
      durability: this.#read("durability", durability),
      auditCopy: this.#read("audit-copy", auditCopy),
      auditKeepMs: this.#read("audit-keep", (given) => (given?.value ? duration(given, "") : null)),
      devices: {
        simulated: this.#read("simulated", (given) => oneOf(given, ["on", "off"])) === "on",
        pci: this.#read("devices", pciDevices),
        revokeFeature: this.#read("revoke-feature", (given) => (given?.value ? number(given, 0, 1, 65_535) : null)),
        rungs: this.#read("rungs", (given) => someOf(given, RUNGS)),
        busMasters: this.#read("bus-master", functions),
        systemMemory: this.#read("system-memory", memorySize),
      },
      allowIrrevocable: this.#read("allow-irrevocable", names),
      tls: this.#read("listen", (listen) => tls(listen, this.#given("tls-cert"), this.#given("tls-key"))),
      visibility: this.#read("visibility", (given) => oneOf(given, ["all", "own"])),
      others: this.#read("others", others),
      groupRoles: this.#read("group-role", groupRoles),
      oidc: this.#read("oidc-issuer", (issuer) =>
        readOidc({
          issuer,
          clientId: this.#given("oidc-client-id"),
          secretFile: this.#given("oidc-client-secret-file"),
          claim: this.#given("oidc-claim"),
          scope: this.#given("oidc-scope"),
          groupsClaim: this.#given("oidc-groups-claim"),
          create: groupRoles(this.#given("oidc-create"), "the provider"),
        }),
      ),
      resetIdle: this.#read("reset-idle", names),
      hooks: this.#read("hooks", hooks),
    };
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return config;
  }

  #read<Value>(name: OptionName, take: (given: Given) => Value): Value {
    try {
      return take(this.#given(name));
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      this.#problems.push(...cause.problems);
      return undefined as Value; // never used: what has problems is not answered
    }
  }

  #given(name: OptionName): Given {
    const { env } = OPTIONS[name];
    const typed = this.#values[name];
    if (typed !== undefined) return { value: typed, from: `--${name}` };
    const set = this.#environment[env];
    return set === undefined ? this.#givenInFile(name) : { value: set, from: env };
  }

  /** A path in the file goes out from the file's folder. */
  #givenInFile(name: OptionName): Given {
    const given = this.#file.options.get(name);
    if (!given?.value || this.#path === null || !PATHS.includes(name)) return given;
    return { ...given, value: resolve(dirname(this.#path), given.value) };
  }
}

type Given = InFile | undefined;

function parse(args: string[]) {
  const options = Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, { type: "string" as const }]));
  try {
    const { values } = parseArgs({
      args,
      options: { ...options, help: { type: "boolean", short: "h" } },
      strict: true,
    });
    return values as Partial<Record<keyof typeof OPTIONS, string>> & { help?: boolean };
  } catch (cause) {
    throw new ConfigError(`${(cause as Error).message.split(". ")[0]}. --help lists the options.`, { cause });
  }
}

function number(given: Given, otherwise: number, low: number, high: number): number {
  if (!given) return otherwise;
  const value = /^\d+$/.test(given.value) ? Number(given.value) : Number.NaN;
  if (!(value >= low && value <= high))
    throw new ConfigError(`${given.from} is "${given.value}"; it takes a number from ${low} to ${high}.`);
  return value;
}

function duration(given: Given, otherwise: string): number {
  const value = parseDuration(given?.value ?? otherwise);
  if (!value || !Number.isSafeInteger(value))
    throw new ConfigError(`${given?.from} is "${given?.value}"; it takes a time such as 90s, 2h or 7d.`);
  return value;
}

const COPIES = { journal: "/run/systemd/journal/socket", syslog: "/dev/log" };

function auditCopy(given: Given): Config["auditCopy"] {
  if (!given || given.value === "none") return null;
  const [, format, socket] = /^(journal|syslog)(?::(.+))?$/.exec(given.value) ?? [];
  if (format !== "journal" && format !== "syslog")
    throw new ConfigError(
      `${given.from} is "${given.value}"; it takes journal, syslog, journal:SOCKET or syslog:SOCKET.`,
    );
  return { format, socket: socket ?? COPIES[format] };
}

const LONGEST_ADOPT_MS = 3_600_000;

function adoptTime(given: Given): number {
  if (!given || given.value === "off") return 0;
  const value = parseDuration(given.value);
  if (value && value <= LONGEST_ADOPT_MS) return value;
  throw new ConfigError(`${given.from} is "${given.value}"; it takes off, or a time of at most 1h such as 10s.`);
}

/** The longest first. */
function durations(given: Given, otherwise: string): number[] {
  const texts = (given?.value ?? otherwise).split(",");
  const values = texts.map((value) => duration({ value, from: given?.from ?? "" }, otherwise));
  return values.sort((one, other) => other - one);
}

function durability(given: Given): "NORMAL" | "FULL" {
  return oneOf(given, ["normal", "full"]) === "full" ? "FULL" : "NORMAL";
}

/** The first one where none is given. */
function oneOf<Choice extends string>(given: Given, choices: readonly [Choice, Choice]): Choice {
  const value = (given?.value.toLowerCase() ?? choices[0]) as Choice;
  if (choices.includes(value)) return value;
  throw new ConfigError(`${given?.from} is "${given?.value}"; it takes ${choices.join(" or ")}.`);
}

function tls(listen: Given, cert: Given, key: Given): Config["tls"] {
  const lone = listen ?? cert ?? key;
  if (!lone) return null;
  if (!listen || !cert || !key)
    throw new ConfigError(
      `${lone.from} takes the other two of --listen, --tls-cert and --tls-key: nothing but TLS leaves this host.`,
    );
  const [, bracketed, plain, port = ""] = /^(?:\[([\da-f:.]+)\]|([\d.]+)):(\d{1,5})$/i.exec(listen.value) ?? [];
  const address = bracketed ?? plain ?? "";
  if (isIP(address) === 0 || Number(port) > 65_535)
    throw new ConfigError(
      `${listen.from} is "${listen.value}"; it takes an address of this host and a port, such as 0.0.0.0:7118 or [::]:7118.`,
    );
  return { address, port: Number(port), files: { cert: resolve(cert.value), key: resolve(key.value) } };
}

function others(given: Given): Role | null {
  if (given?.value === "none") return null;
  const role = given?.value ?? "member";
  if (isRole(role)) return role;
  throw new ConfigError(`${given!.from} is "${role}"; it takes none or a role: ${ROLES.join(", ")}.`);
}

function groupRoles(given: Given, whose = "this host"): Map<string, Role> {
  const pairs = listed(given).map((pair) => {
    const [group = "", role = ""] = pair.split("=");
    if (group === "" || !isRole(role))
      throw new ConfigError(
        `${given!.from} has "${pair}"; it takes a group of ${whose} and a role, such as lab=member. Roles: ${ROLES.join(", ")}.`,
      );
    return [group, role] as const;
  });
  return new Map(pairs);
}

function isRole(word: string): word is Role {
  return (ROLES as readonly string[]).includes(word);
}

const RUNGS = ["dma-buf-revoke", "vfio-feature-revoke", "device-close"];

function someOf(given: Given, choices: readonly string[]): string[] {
  for (const name of listed(given))
    if (!choices.includes(name))
      throw new ConfigError(`${given!.from} names "${name}"; it takes some of ${choices.join(", ")}.`);
  return listed(given);
}

function memorySize(given: Given): number | null {
  if (!given) return null;
  const bytes = parseSize(given.value);
  if (bytes && bytes % PAGE_SIZE === 0) return bytes;
  throw new ConfigError(
    `${given.from} is "${given.value}"; it takes a size in whole pages of ${PAGE_SIZE} bytes, such as 64MiB.`,
  );
}

function pciDevices(given: Given): "auto" | string[] {
  if (!given || given.value === "auto") return "auto";
  return given.value === "none" ? [] : functions(given);
}

const BDF = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

function functions(given: Given): string[] {
  const functions = listed(given).map((name) => name.toLowerCase());
  for (const name of functions)
    if (!BDF.test(name))
      throw new ConfigError(
        `${given!.from} names "${name}"; a PCI device is written 0000:01:00.0, as lspci -D shows it.`,
      );
  return functions;
}

function priorities(given: Given): Map<string, number> {
  return new Map(
    listed(given).map((text) => {
      const [, account, priority] = /^([^=]+)=(\d{1,3})$/.exec(text) ?? [];
      if (account === undefined || !ACCOUNT.test(account) || Number(priority) > 100)
        throw new ConfigError(
          `${given!.from} has "${text}"; it takes accounts with numbers up to 100, as alice=10 or uid:1000=10.`,
        );
      return [account, Number(priority)];
    }),
  );
}

function names(given: Given): string[] {
  for (const name of listed(given))
    if (!BUFFER_NAME.test(name))
      throw new ConfigError(
        `${given!.from} names "${name}"; it takes names of buffers or devices, such as ram0/all or ram0.`,
      );
  return listed(given);
}

function hooks(given: Given): Hook[] {
  if (!given) return [];
  const refuse = (why: string, cause: unknown) =>
    new ConfigError(`${given.from} names ${given.value}, ${why}.`, { cause });
  let text: string;
  try {
    text = readFileSync(given.value, "utf8");
  } catch (cause) {
    throw refuse(`which cannot be read (${(cause as Error).message})`, cause);
  }
  try {
    return parseHooks(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof z.ZodError)
      throw refuse(`which does not say what to run:\n${z.prettifyError(cause)}\n`, cause);
    throw refuse(`which is no JSON (${(cause as Error).message})`, cause);
  }
}

function listed(given: Given): string[] {
  return given?.value.split(",").filter((name) => name !== "") ?? [];
}
