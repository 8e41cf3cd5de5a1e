// The table of contents of the command line.
import { Command, Option } from "commander";
import pkg from "../package.json" with { type: "json" };
import { agentUrl, duration } from "./arguments.ts";
import { addAccount } from "./commands/account.ts";
import { addAudit } from "./commands/audit.ts";
import { addBuffers } from "./commands/buffers.ts";
import { addCall } from "./commands/call.ts";
import { addClaim } from "./commands/claim.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addDefine } from "./commands/define.ts";
import { addDelegate } from "./commands/delegate.ts";
import { addDelegations } from "./commands/delegations.ts";
import { addDevice } from "./commands/device.ts";
import { addDevices } from "./commands/devices.ts";
import { addDmabufs } from "./commands/dmabufs.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExec } from "./commands/exec.ts";
import { addExitCodes } from "./commands/exit-codes.ts";
import { addExtend } from "./commands/extend.ts";
import { addHandOver } from "./commands/hand-over.ts";
import { addHolders } from "./commands/holders.ts";
import { addLift } from "./commands/lift.ts";
import { addLogin } from "./commands/login.ts";
import { addMan } from "./commands/man.ts";
import { addPanic } from "./commands/panic.ts";
import { addPeek } from "./commands/peek.ts";
import { addPoke } from "./commands/poke.ts";
import { addPolicy } from "./commands/policy.ts";
import { addRead } from "./commands/read.ts";
import { addRelease } from "./commands/release.ts";
import { addReservations } from "./commands/reservations.ts";
import { addReserve } from "./commands/reserve.ts";
import { addRevoke } from "./commands/revoke.ts";
import { addSession } from "./commands/session.ts";
import { addStatus } from "./commands/status.ts";
import { addSync } from "./commands/sync.ts";
import { addToken } from "./commands/token.ts";
import { addUndefine } from "./commands/undefine.ts";
import { addWatch } from "./commands/watch.ts";
import { addWhoami } from "./commands/whoami.ts";
import { beQuiet } from "./output/print.ts";

export function buildProgram(): Command {
  const program = new Command("lendbuf")
    .description("Lends device memory for a while, and takes it back.")
    .version(pkg.version)
    .option("--json", "print JSON: the API's output; JSON Lines where it goes on")
    .option("--quiet", "print what was asked for, and errors; not what was done, or what happens meanwhile")
    .addOption(
      new Option(
        "--timeout <duration>",
        "give up after so long: 10, 1m; with exec and claim, before they have it",
      ).argParser(duration),
    )
    .option("--socket <path>", "the agent's socket (else LENDBUF_SOCKET, or where agents listen)")
    .addOption(
      new Option("--agent <url>", "an agent elsewhere, by its HTTP door: http://127.0.0.1:7117").argParser(agentUrl),
    )
    .option("--token-file <file>", "with --agent: has the token that lets you in")
    .helpOption("-h, --help", "explain a command")
    .configureHelp({ showGlobalOptions: true })
    // Errors are reported in one place, main.ts.
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText(
      "after",
      "\nlendbuf help exit-codes lists the exit codes; lendbuf help man | man -l - shows the whole manual.",
    );

  program.hook("preAction", (_program, command) => {
    if (command.optsWithGlobals<{ quiet?: boolean }>().quiet) beQuiet();
  });
  program.commandsGroup("Look:");
  for (const add of [
    addStatus,
    addDevices,
    addBuffers,
    addDelegations,
    addReservations,
    addHolders,
    addDmabufs,
    addWatch,
    addRead,
    addAudit,
    addDoctor,
    addWhoami,
  ])
    add(program);
  program.commandsGroup("Lend and borrow:");
  for (const add of [addExec, addDelegate, addClaim, addExtend, addHandOver, addReserve, addSync, addRelease])
    add(program);
  program.commandsGroup("Operate:");
  for (const add of [
    addRevoke,
    addPanic,
    addDefine,
    addUndefine,
    addLift,
    addPeek,
    addPoke,
    addDevice,
    addAccount,
    addPolicy,
    addConfig,
  ])
    add(program);
  program.commandsGroup("Come in over HTTP:");
  for (const add of [addLogin, addSession, addToken]) add(program);
  program.commandsGroup("For scripts:");
  for (const add of [addCall, addCompletion]) add(program);
  addExitCodes(program);
  addMan(program);
  return program;
}
