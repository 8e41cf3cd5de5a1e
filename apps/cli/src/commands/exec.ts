import type { Width } from "@lendbuf/shared/buffer";
import type { Command } from "commander";
import {
  bufferName,
  exporterOption,
  leaseOption,
  priorityOption,
  purposeOption,
  shortenOption,
  widthOption,
} from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planRequest } from "../planning/requests.ts";
import { type RequestOptions, requestOf } from "../request.ts";
import { addSignalOptions, beforeEndOf, type SignalOptions } from "../running/before-end.ts";
import { borrowInLine } from "../running/borrow-in-line.ts";
import { followerOnStderr } from "../running/follower.ts";
import { type Copies, run } from "../running/run.ts";
import { SignalRelay } from "../running/signal-relay.ts";
import { withAgent, withAgentHere } from "../session.ts";

const HELP = `
The command finds the memory as descriptor 3, and in its environment LENDBUF_FD, LENDBUF_SIZE (bytes), LENDBUF_BUFFER,
LENDBUF_DELEGATION, LENDBUF_ACCESS and LENDBUF_SOCKET. When it exits the memory goes back. When the memory is taken away, touching it
raises SIGBUS, or fails with EFAULT in a system call; the command itself is left alone.

  lendbuf exec sim0/ch0 --for 15m --read-only -- ./capture --rate 100

With --signal the command is told before the lease ends, or an end that was announced comes, in time to save what it has:

  lendbuf exec sim0/ch0 --for 1h --signal USR1 --signal-before 2m -- ./capture

With --exporter staged the memory is a window that starts as zeros, for kernels whose exports cannot be mapped: the command copies from
and to the device with "lendbuf sync", which finds its window by LENDBUF_DELEGATION. --pull copies all of it from the device before
the command starts, --push all of it to the device after the command ended well:

  lendbuf exec 0000:01:00.0/bar2 --exporter staged --pull -- xxd -l 64 /proc/self/fd/3`;

interface Options extends RequestOptions, SignalOptions {
  pull?: boolean;
  push?: boolean;
  width?: Width;
  dryRun?: boolean;
}

export function addExec(program: Command): void {
  const exec = program
    .command("exec")
    .description("borrow a buffer for as long as a command runs")
    .argument("<buffer>", "which buffer", bufferName)
    .argument("<command...>", "after --: what to run, and its arguments")
    .usage("<buffer> [options] -- <command...>")
    .addOption(leaseOption())
    .option("--read-only", "reading is enough")
    .option("--shared", "others who share may have it at the same time")
    .option("--wait", "stand in line where it is taken")
    .addOption(shortenOption())
    .addOption(priorityOption())
    .addOption(purposeOption())
    .addOption(exporterOption())
    .option("--pull", "staged: copy from the device before the command starts")
    .option("--push", "staged: copy to the device after the command ended with 0")
    .addOption(widthOption())
    .addOption(dryRunOption());
  addSignalOptions(exec)
    .addHelpText("after", HELP)
    .action((buffer: string, words: string[], { width, ...options }: Options, command: Command) => {
      const copies = copiesOf(options, width);
      const beforeEnd = beforeEndOf(options);
      if (options.dryRun)
        return withAgent(command, async (agent, { json }) =>
          showPlan(await planRequest(agent, requestOf(buffer, options), `run ${words[0]} with`), json),
        );
      return withAgentHere(command, async (agent, { json, timeout }) => {
        const relay = new SignalRelay();
        const follower = followerOnStderr(json);
        const lease = await borrowInLine(
          agent,
          requestOf(buffer, options),
          follower,
          AbortSignal.any([relay.interrupted, timeout]),
        );
        process.exitCode = await run(agent, lease, words, relay, follower, { copies, beforeEnd });
      });
    });
}

/** What is copied before and after the command, of a window. */
function copiesOf({ pull = false, push = false, exporter, readOnly }: Options, width: Width = 32): Copies {
  if ((pull || push) && exporter !== "staged")
    throw usageFailure("--pull and --push copy from and to a window: add --exporter staged.");
  if (push && readOnly) throw usageFailure("--push copies to the device, and --read-only forbids it: leave one out.");
  return { pull, push, width };
}
