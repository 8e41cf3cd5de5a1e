import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import { harmless } from "@lendbuf/shared/harmless";
import { formatSize } from "@lendbuf/shared/size";
import type { Command } from "commander";
import { delegationId } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { describeAccess } from "../output/delegation.ts";
import { printDone, printJsonLine, printLong } from "../output/print.ts";
import { clock, relative } from "../output/time.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planClaim } from "../planning/requests.ts";
import { addSignalOptions, beforeEndOf, type SignalOptions } from "../running/before-end.ts";
import { type Follower, follow } from "../running/follow.ts";
import { followerOnStderr } from "../running/follower.ts";
import { giveBack } from "../running/give-back.ts";
import { isInterrupt } from "../running/interruption.ts";
import { isEndingElsewhere } from "../running/notices.ts";
import { run } from "../running/run.ts";
import { SignalRelay } from "../running/signal-relay.ts";
import { withAgent, withAgentHere } from "../session.ts";

export function addClaim(program: Command): void {
  const claim = program
    .command("claim")
    .description("take what was offered and hold it until Ctrl-C, or run a command with it as exec does")
    .argument("<id>", "which delegation", delegationId)
    .argument("[command...]", "after --: what to run, and its arguments")
    .addOption(dryRunOption())
    .usage("<id> [options] [-- <command...>]");
  addSignalOptions(claim).action(
    (id: number, words: string[], options: SignalOptions & { dryRun?: boolean }, command: Command) => {
      const beforeEnd = beforeEndOf(options);
      if (beforeEnd && words.length === 0) throw usageFailure("--signal is for a command: name one after --.");
      if (options.dryRun)
        return withAgent(command, async (agent, { json }) =>
          showPlan(await planClaim(agent, id, words.length > 0 ? `, and run ${words[0]} with it` : ""), json),
        );
      return withAgentHere(command, async (agent, { json, timeout }) => {
        const relay = new SignalRelay();
        const lease = await agent.claim(id, { signal: AbortSignal.any([relay.interrupted, timeout]) });
        process.exitCode =
          words.length > 0
            ? await run(agent, lease, words, relay, followerOnStderr(json), { beforeEnd })
            : await hold(agent, lease, relay.interrupted, json);
      });
    },
  );
}

/** Until it ends, or until this process is told to end. */
async function hold(agent: Connection, lease: Lease, interrupted: AbortSignal, json: boolean): Promise<number> {
  const follower = followerOnStdout(json);
  await announce(lease, json);
  try {
    const ended = await follow(agent, lease.delegation, follower, interrupted);
    return isEndingElsewhere(ended) ? EXIT.ended : EXIT.ok;
  } catch (error) {
    if (!isInterrupt(error)) throw error;
    lease.close();
    await giveBack(agent, lease.delegation, follower);
    return EXIT.ok;
  }
}

async function announce({ delegation, size, fd }: Lease, json: boolean): Promise<void> {
  const path = `/proc/${process.pid}/fd/${fd}`;
  if (json) return printJsonLine({ delegation, size, pid: process.pid, fd, path });
  const { id, buffer, expiresAt } = delegation;
  const until = expiresAt === null ? "" : `, until ${clock(expiresAt)} (${relative(expiresAt)})`;
  await printDone(`Delegation ${id}: ${buffer}, ${formatSize(size)}, ${describeAccess(delegation)}${until}`);
  await printLong(`Held by pid ${process.pid}; other programs may open ${path}`, path);
  await printDone(delegation.keep ? "Ctrl-C lets go of it; it stays yours." : "Ctrl-C gives it back.");
}

function followerOnStdout(json: boolean): Follower {
  if (json) return { onNotice: () => {}, onState: (delegation) => void printJsonLine(delegation) };
  return { onNotice: (notice) => void printDone(`${clock(Date.now())}  ${harmless(notice)}`) };
}
