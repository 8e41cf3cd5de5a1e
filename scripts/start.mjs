// npm start: brings the checkout up to date and runs the agent, with our arguments, our terminal and its exit status.
import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { bootstrap, orExplain, say } from "./bootstrap.mjs";
import { ROOT } from "./step.mjs";

const AGENT = join(ROOT, "apps/agent/dist/main.js");
// Ctrl-C reaches us from the terminal and once more from npm; a second one that a person meant comes later.
const SAME_SIGNAL_MS = 1_000;
const PARENT_CHECK_MS = 500;

await orExplain(bootstrap);
process.exit(await runAgent(process.argv.slice(2)));

/**
 * The agent has a session of its own, so each signal reaches it once, from us. It gets SIGTERM from the kernel where we die without a word
 * (setpriv, from util-linux).
 */
function runAgent(args) {
  // Node takes SIGUSR1 as a wish for its inspector before the agent can refuse: at an address that no machine has, it cannot open one.
  const node = [process.execPath, "--enable-source-maps", "--inspect-port=192.0.2.1:9229", AGENT, ...args];
  const tied = ["setpriv", "--pdeathsig", "TERM"];
  const canTie = spawnSync(tied[0], [...tied.slice(1), "true"]).status === 0;
  const [command, ...rest] = canTie ? [...tied, ...node] : node;
  const agent = spawn(command, rest, { stdio: "inherit", detached: true });
  forwardSignals(agent);
  return new Promise((resolve) => {
    agent.on("error", (error) => {
      say(`The agent could not be started: ${error.message}`);
      resolve(1);
    });
    agent.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

function forwardSignals(agent) {
  let lastAt = Number.NEGATIVE_INFINITY;
  const forward = (signal) => {
    const now = performance.now();
    const isRepeated = now - lastAt < SAME_SIGNAL_MS;
    lastAt = now;
    if (!isRepeated) agent.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  for (const signal of ["SIGUSR1", "SIGUSR2"]) process.on(signal, () => agent.kill(signal));
  // npm hands on SIGINT and SIGTERM; what else ends it (SIGHUP, SIGKILL) would leave us behind without a word.
  if (!process.env.npm_lifecycle_event) return;
  const npm = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(watch);
    forward("SIGTERM");
  }, PARENT_CHECK_MS);
}
