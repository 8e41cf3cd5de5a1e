import "./signals.ts"; // before all else
import { lstatSync } from "node:fs";
import { type Config, readConfig, USAGE } from "@lendbuf/config/config";
import { ConfigError } from "@lendbuf/config/config-error";
import { notesOn } from "@lendbuf/config/notes";
import { isSystemError } from "@lendbuf/native/addon";
import { type Agent, startAgent } from "./agent.ts";
import { ForeignFolder } from "./broker/broker.ts";
import { reload } from "./configuration/reload.ts";
import { CertificateError } from "./http/certificate.ts";
import { AlreadyRunning } from "./lock.ts";
import { panic } from "./revocation/panic.ts";
import { onPanic, refuseInspector } from "./signals.ts";

declare const VERSION: string;
const version = typeof VERSION === "string" ? VERSION : "0.0.0";

function configNow(): Config | "help" {
  return readConfig(process.argv.slice(2), process.env, process.getuid!());
}

function configOrExit(): Config {
  try {
    const config = configNow();
    if (config !== "help") return config;
    console.log(USAGE);
    process.exit(0);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    console.error(cause.message);
    process.exit(2);
  }
}

/** In words where it is something that a person can mend. */
function explain(cause: unknown, config: Config): string | undefined {
  if (cause instanceof AlreadyRunning || cause instanceof ForeignFolder || cause instanceof CertificateError)
    return cause.message;
  if (!isSystemError(cause)) return undefined;
  if (cause.code === "EADDRINUSE" && cause.syscall === "listen")
    return `Port ${config.port} of 127.0.0.1 is taken. Choose another with --port; 0 takes any free one.`;
  if (cause.code === "EADDRINUSE" && !lstatSync(config.socketPath, { throwIfNoEntry: false })?.isSocket())
    return `${config.socketPath} is there already, and is no socket. It was left as it is. Choose another path with --socket.`;
  if (cause.code === "EADDRINUSE")
    return `Somebody listens at ${config.socketPath} already. Use that agent, end it first, or choose another --socket.`;
  return `The agent cannot start: ${cause.message}. --state and --socket choose other places.`;
}

async function start(config: Config): Promise<Agent> {
  try {
    return await startAgent(config, version, () => configNow() as Config);
  } catch (cause) {
    const words = explain(cause, config);
    if (words === undefined) throw cause;
    console.error(words);
    process.exit(1);
  }
}

// A closed pipe behind `npm start | head` must not end the agent, and with it what it has lent.
process.stdout.on("error", () => {});
/** With a secret that signs in only where a person sees it: a log keeps what it is told. */
function dashboardLink(): string {
  const { doors, sessions } = agent.core;
  const also = doors.remoteUrl ? `, and ${doors.remoteUrl}` : "";
  if (!process.stdout.isTTY) return `${doors.url}${also} (sign in: lendbuf login)`;
  return `${doors.url}/#login=${sessions.createLink(`uid:${process.getuid!()}`).secret}`;
}

const config = configOrExit();
const agent = await start(config);
let ending = false;
function endOnce(leave: boolean): void {
  if (ending) return;
  ending = true;
  void agent.close(leave).then(() => process.exit(0));
}
// SIGINT is meant: all ends. The others may be an upgrade's.
process.on("SIGINT", () => endOnce(false));
process.on("SIGTERM", () => endOnce(config.adoptMs > 0));
// A terminal that is closed ends what was started in it; a service is asked to read its configuration anew.
process.on("SIGHUP", () => {
  if (process.stdout.isTTY) endOnce(config.adoptMs > 0);
  else if (!ending) void reload(agent.core, "agent SIGHUP").catch(() => {}); // the log has said why
});
const { core } = agent;
onPanic(() => void panic(core, {}, "signal").catch((cause) => core.log.error({ cause }, "panic failed")));
refuseInspector();
console.log(`Lendbuf ${version} on ${config.host}, pid ${process.pid}, state in ${config.stateDirectory}`);
for (const device of core.devices.values()) {
  const { name, state, problem, exporters } = device.view();
  const ways = exporters.filter(({ works }) => works).map(({ exporter, method }) => `${exporter} revokes by ${method}`);
  console.log(`Device ${name}: ${state}, ${problem ?? ways.join(", ")}`);
}
if (core.store.problem) console.log(`Nothing can be lent yet: ${core.store.problem}`);
if (core.store.keptAside)
  console.log(`The database was corrupt. It was kept as ${core.store.keptAside}; the books begin anew.`);
for (const note of notesOn(config)) console.log(`Note: ${note}`);
console.log(`Dashboard: ${dashboardLink()}`);
console.log(`Ready: socket ${config.socketPath}`);
