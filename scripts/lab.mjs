// npm run lab [-- --kernel stock] [--port PORT] [-- COMMAND…]: boots the lab machine and runs the agent in it, or another command; with --cases all
// that is tested in it.
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { KERNELS } from "../lab/kernel/kernels.mjs";
import { bootMachine, MachineFailed } from "../lab/machine.mjs";
import { prepare } from "../lab/prepare.mjs";
import { BootstrapFailed, bootstrap, orExplain, say } from "./bootstrap.mjs";
import { ROOT, runStep } from "./step.mjs";

const USAGE = [
  "npm run lab -- [--kernel lab|stock|debug] [--port PORT] [-- COMMAND…]",
  "npm run lab -- [--kernel lab|debug] --cases",
  "",
  "Boots a virtual machine with two PCI devices for VFIO and runs the agent in it, as an ordinary user, or COMMAND instead. The dashboard",
  "answers at PORT of 127.0.0.1 (7117). Ctrl-C ends the machine, and with it all that it wrote. The debug kernel is the lab kernel that reports",
  "its own bugs. --cases runs every proof and case under that kernel, and reads what it reports.",
].join("\n");
const DAY_MS = 24 * 3600_000;
const CASES_TIMEOUT_MS = 2 * 3600_000;

const { kernel, port, command, cases } = readArguments();
process.exitCode = await orExplain(async () => {
  await bootstrap();
  if (cases) return runAllCases();
  await requireFree(port);
  return run();
});

function readArguments() {
  const options = { kernel: { type: "string", default: "lab" }, port: { type: "string", default: "7117" } };
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, cases: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!(values.kernel in KERNELS)) throw new Error(`There is no kernel "${values.kernel}".`);
    if (!(Number(values.port) >= 1024 && Number(values.port) <= 65_535)) {
      throw new Error(`--port is "${values.port}"; it takes a number from 1024 to 65535.`);
    }
    if (values.cases && values.kernel === "stock") throw new Error("--cases takes the lab or the debug kernel.");
    return { kernel: values.kernel, port: Number(values.port), command: positionals, cases: values.cases };
  } catch (error) {
    say(`${error.message}\n\n${USAGE}`);
    process.exit(64); // EX_USAGE
  }
}

/** A port that is taken would be told by QEMU, in its own words, once all else is done. */
function requireFree(wanted) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const words = `Port ${wanted} of 127.0.0.1 is taken. Choose another: npm run lab -- --port PORT`;
    server.on("error", (cause) => reject(new BootstrapFailed(words, { cause })));
    server.listen(wanted, "127.0.0.1", () => server.close(resolve));
  });
}

async function runAllCases() {
  await prepare(["stock", kernel]); // the stock kernel brings the headers of the proofs
  const command = [`${ROOT}node_modules/.bin/vitest`, "run", "lab/lab.test.mjs"];
  const env = { LENDBUF_LAB_KERNEL: kernel };
  const { ok } = await runStep("lab cases", command, { timeoutMs: CASES_TIMEOUT_MS, env, show: true });
  return ok ? 0 : 1;
}

async function run() {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop.abort());
  const agent = ["node", "--enable-source-maps", "apps/agent/dist/main.js", "--port", `${port}`];
  try {
    say(`Booting the ${kernel} kernel (Ctrl-C ends the machine)…`);
    const { code } = await bootMachine({
      ...{ kernel, forward: port, timeoutMs: DAY_MS, signal: stop.signal },
      command:
        command.length > 0
          ? command
          : [...agent, "--state", "/home/lab/state", "--socket", "/run/user/1000/agent.sock"],
      onLine: (line) => console.log(line),
    });
    return code;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    if (!(error instanceof MachineFailed)) throw error;
    throw new BootstrapFailed(error.message, { cause: error });
  }
}
