import { bind, planBind, type Taking } from "@lendbuf/host/binding/bind";
import { type Giving, planUnbind, unbind } from "@lendbuf/host/binding/unbind";
import { HostControl } from "@lendbuf/host/host-control";
import { pciFunction } from "@lendbuf/host/pci-function";
import { type Command, Option } from "commander";
import { bdfs, deviceName } from "../arguments.ts";
import { ask } from "../ask.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure, usageFailure } from "../failure.ts";
import { describeBound, describeGiving, describeTaking } from "../output/binding.ts";
import { notify, printDone, printJson, tell } from "../output/print.ts";
import { planSwitch } from "../planning/buffers.ts";
import { dryRunOption, plan, showPlan } from "../planning/plan.ts";
import { type Where, withAgent } from "../session.ts";
import { addDrain } from "./drain.ts";

interface Options {
  yes?: boolean;
  persist?: boolean;
  dryRun?: boolean;
  root: string;
}

export function addDevice(program: Command): void {
  const device = program
    .command("device")
    .description(
      "give PCI devices to vfio-pci or back (root), take an agent's memory away for now, or lend nothing new of it",
    );
  subcommand(device, "bind", "give them to vfio-pci, so that an agent can lend them")
    .option("--persist", "also after restarts, by a udev rule")
    .action((addresses: string[], options: Options, command: Command) => bindAll(addresses, options, command));
  subcommand(device, "unbind", "give them back to their own drivers, also after restarts").action(
    (addresses: string[], options: Options, command: Command) => unbindAll(addresses, options, command),
  );
  switchOf(device, "suspend", "take the memory of a device from everybody for now; delegations go on");
  switchOf(device, "resume", "give it back");
  addDrain(device);
}

function switchOf(device: Command, name: "suspend" | "resume", description: string): void {
  device
    .command(name)
    .description(description)
    .argument("<device>", "as `lendbuf devices` names it", deviceName)
    .addOption(dryRunOption())
    .action((name_: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planSwitch(agent, name_, name), json);
        const seen = await agent.call(`devices.${name}`, { name: name_ });
        if (json) return printJson(seen);
        const words = seen.suspended
          ? `${seen.name} is suspended: whoever touches its memory meets SIGBUS or EFAULT. Give it back: lendbuf device resume ${seen.name}`
          : `${seen.name} is in use again. What was revoked meanwhile stays revoked.`;
        await printDone(words);
      }),
    );
}

function subcommand(device: Command, name: string, description: string): Command {
  return device
    .command(name)
    .description(description)
    .argument("<bdf...>", "PCI addresses such as 0000:01:00.0", bdfs)
    .option("--yes", "do not ask before it is done")
    .addOption(dryRunOption())
    .addOption(new Option("--root <folder>", "where the host's files lie, for tests").default("/").hideHelp());
}

async function bindAll(
  addresses: string[],
  { yes, persist = false, dryRun, root }: Options,
  command: Command,
): Promise<void> {
  requireRoot(command, addresses);
  const host = new HostControl(root);
  const takings = planBind(host, addresses);
  const plans = takings.map(({ function_, losses }: Taking) => describeTaking(function_, losses, persist));
  if (dryRun) return showBinding("bind", addresses, plans, command);
  await agree(plans, yes);
  await bind(
    host,
    takings.map(({ function_ }) => function_),
    { persist, onSlow },
  );
  await report(host, addresses, command);
}

async function unbindAll(addresses: string[], { yes, dryRun, root }: Options, command: Command): Promise<void> {
  requireRoot(command, addresses);
  const host = new HostControl(root);
  const givings = planUnbind(host, addresses);
  const plans = givings.map((giving: Giving) => describeGiving(giving));
  if (dryRun) return showBinding("unbind", addresses, plans, command);
  await agree(plans, yes);
  await unbind(host, givings, { onSlow });
  await report(host, addresses, command);
}

async function showBinding(
  what: string,
  addresses: readonly string[],
  plans: readonly string[][],
  command: Command,
): Promise<void> {
  tell(`${plans.flat().join("\n")}\n`);
  const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
  await showPlan(plan(`${what} ${addresses.join(", ")}`), json);
}

function requireRoot(command: Command, addresses: readonly string[]): void {
  if (command.optsWithGlobals<Where>().agent !== undefined)
    throw usageFailure(
      `lendbuf device ${command.name()} is for this host. Run it where the device is, without --agent.`,
    );
  if (process.getuid!() === 0) return;
  throw new Failure(
    "NOT_ALLOWED",
    EXIT.refused,
    `Which driver has a device is root's to decide: sudo lendbuf device ${command.name()} ${addresses.join(" ")}`,
  );
}

/** Says what will happen, and asks. */
async function agree(plans: readonly string[][], yes: boolean | undefined): Promise<void> {
  tell(`${plans.flat().join("\n")}\n`);
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw usageFailure("There is no terminal to ask on. Add --yes if that is meant.");
  if (!/^y(es)?$/i.test((await ask("Go on? [y/N] ")).trim()))
    throw new Failure("CANCELLED", EXIT.failed, "Nothing was changed.");
}

function onSlow(what: string): void {
  notify(`Still at it: ${what}. The kernel waits until nobody uses the device any more.\n`);
}

async function report(host: HostControl, addresses: readonly string[], command: Command): Promise<void> {
  const functions = addresses.flatMap((bdf) => pciFunction(host, bdf) ?? []);
  if (command.optsWithGlobals<{ json?: boolean }>().json)
    await printJson(functions.map(({ bdf, id, driver, iommuGroup }) => ({ bdf, id, driver, iommuGroup })));
  else await printDone(functions.flatMap(describeBound).join("\n"));
}
