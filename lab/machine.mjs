// The lab machine: QEMU with a virtual IOMMU and two PCI devices for VFIO, under a kernel of our choice. It needs neither root nor KVM.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findCommand, LAB_TOOLS, MissingRequirement, requireTools } from "../scripts/requirements.mjs";
import { ROOT, tail } from "../scripts/step.mjs";
import { cpio } from "./cpio.mjs";
import { entryOf, librariesOf } from "./guest-files.mjs";
import { KERNELS } from "./kernel/kernels.mjs";

/** Size of the file behind BAR 2 of ivshmem. */
export const BAR_BYTES = 16 * 1024 * 1024;

const USER = "lab:x:1000:1000::/home/lab:/bin/sh\n";
const GROUP = "lab:x:1000:\n";

/** The machine ended without the command's exit code: its kernel died, or time was up. */
export class MachineFailed extends Error {}

/**
 * Boots the machine, runs `command` in it as an ordinary user in this checkout, and ends it. Resolves with the command's exit `code`, what
 * the kernel wrote on its `console`, and `seconds`. Only what lies in /tmp, /run and /home/lab can be written, and it ends with the machine.
 *
 * - `bar`: path of the file that is BAR 2 of ivshmem; made anew, BAR_BYTES of zeros. Without it there is one that nobody sees.
 * - `forward`: port of 127.0.0.1, here and inside.
 * - `files`: folders of the checkout besides what is built, for kernels that do not see the host's files.
 * - `onLine`: gets each line that the command writes.
 * - `env`: variables of the command's environment.
 * - `account`: "root" where an ordinary user may not do what is to be tried.
 * - `niceness`: how far it stands back for others, as nice(1) has it.
 * - `signal`: ends the machine at once.
 */
export async function bootMachine({ kernel, command, bar, forward, files = [], ...rest }) {
  requireMachine();
  const { make, devices, files: filesOf, memory: size, boot = "" } = KERNELS[kernel];
  const image = await make();
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-lab-"));
  try {
    const initrd = join(folder, "initrd");
    writeFileSync(initrd, cpio({ ...ownFiles(image, { command, forward, ...rest }), ...filesOf(files) }));
    const memory = bar ?? join(folder, "bar");
    writeFileSync(memory, "");
    truncateSync(memory, BAR_BYTES);
    const machine = { image: join(image, "bzImage"), initrd, memory, size, boot, forward, devices, folder };
    return await run(qemu(machine), folder, rest);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Throws MissingRequirement where the machine cannot be had; what a kernel needs is its own matter. */
export function requireMachine() {
  if (process.arch !== "x64") throw new MissingRequirement(`The lab machine is x86-64; this is ${process.arch}.`);
  requireTools(LAB_TOOLS.filter(({ command }) => command === "qemu-system-x86_64" || command === "busybox"));
}

function ownFiles(image, { command, forward, env = {}, account = "lab" }) {
  const busybox = findCommand("busybox");
  const modules = join(image, "modules");
  const loaded = existsSync(modules) ? readdirSync(modules) : [];
  return {
    init: { content: readFileSync(join(ROOT, "lab/guest/init")), executable: true },
    "lab/busybox": { content: readFileSync(busybox), executable: true },
    ...Object.fromEntries(librariesOf(busybox).map((file) => [file.slice(1), entryOf(file)])),
    ...Object.fromEntries(loaded.map((name) => [`lab/modules/${name}`, entryOf(join(modules, name))])),
    "lab/passwd": { content: `root:x:0:0::/home/lab:/bin/sh\n${USER}` },
    "lab/group": { content: `root:x:0:\n${GROUP}` },
    "lab/settings": {
      content: assign({
        CHECKOUT: ROOT.replace(/\/$/, ""),
        NODE: process.execPath,
        FORWARD: forward ?? "",
        ACCOUNT: account,
      }),
    },
    "lab/command": { content: script(command, env) },
  };
}

function script(command, env) {
  const node = process.execPath.split("/").slice(0, -1).join("/");
  const settings = {
    HOME: "/home/lab",
    USER: "lab",
    PATH: `${node}:/usr/local/bin:/usr/bin:/bin`,
    XDG_RUNTIME_DIR: "/run/user/1000",
    ...env,
  };
  return `${assign(settings)}export ${Object.keys(settings).join(" ")}\ncd ${quote(ROOT)}\nexec ${command.map(quote).join(" ")}\n`;
}

function assign(values) {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quote(String(value))}\n`)
    .join("");
}

function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function qemu({ image, initrd, memory, size, boot, forward, devices, folder }) {
  const network = forward
    ? [
        "-netdev",
        `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${forward}-:${forward}`,
        "-device",
        "virtio-net-pci,netdev=net",
      ]
    : [];
  return [
    ...["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", size, "-M", "q35"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-serial", `file:${join(folder, "console")}`, "-serial", "stdio", "-serial", `file:${join(folder, "exit")}`],
    ...["-device", "intel-iommu,intremap=on"], // without intremap VFIO_SET_IOMMU answers EPERM
    ...["-object", `memory-backend-file,id=bar,share=on,size=${BAR_BYTES},mem-path=${memory}`],
    ...["-device", "ivshmem-plain,memdev=bar", "-device", "edu", "-device", "virtio-rng-pci", ...devices, ...network],
    ...["-kernel", image, "-initrd", initrd],
    // The timer's check is lost where this host is busy while the emulated one counts.
    "-append",
    `console=ttyS0 loglevel=5 intel_iommu=on iommu=nopt no_timer_check panic=-1 oops=panic ${boot}`,
  ];
}

async function run(command, folder, { timeoutMs, onLine = () => {}, niceness = 0, signal }) {
  const started = performance.now();
  const [program, ...args] = tied(["nice", "-n", String(niceness), ...command]);
  const timeout = AbortSignal.timeout(timeoutMs);
  const machine = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // Ctrl-C is for us: we end it
    signal: AbortSignal.any([timeout, ...(signal ? [signal] : [])]),
    killSignal: "SIGKILL",
  });
  let complaint = "";
  machine.stderr.on("data", (text) => (complaint += text));
  createInterface({ input: machine.stdout }).on("line", onLine);
  await new Promise((resolve) => {
    machine.on("error", (error) => error.name !== "AbortError" && (complaint += `${error.message}\n`));
    machine.on("close", resolve);
  });
  const [console, code] = ["console", "exit"].map((name) => readIfThere(join(folder, name)));
  const seconds = (performance.now() - started) / 1000;
  signal?.throwIfAborted();
  if (/^\d+\s/.test(code)) return { code: Number.parseInt(code, 10), console, seconds };
  const what = timeout.aborted ? `did not end within ${timeoutMs / 1000} s` : "ended without the command's exit code";
  throw new MachineFailed(`The lab machine ${what}.\n${complaint}Its console says:\n${tail(console, 40)}`);
}

// The kernel ends it where we die without a word (setpriv, from util-linux).
function tied(command) {
  const prefix = ["setpriv", "--pdeathsig", "KILL"];
  return spawnSync(prefix[0], [...prefix.slice(1), "true"]).status === 0 ? [...prefix, ...command] : command;
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}
