import type { Command } from "commander";
import { bufferName, leaseOption, purposeOption } from "../arguments.ts";
import { type RequestOptions, requestOf } from "../request.ts";
import { borrowInLine } from "../running/borrow-in-line.ts";
import { followerOnStderr } from "../running/follower.ts";
import { run } from "../running/run.ts";
import { SignalRelay } from "../running/signal-relay.ts";
import { withAgent } from "../session.ts";

const HELP = `
The command finds the memory as descriptor 3, and in its environment LENDBUF_FD, LENDBUF_SIZE (bytes), LENDBUF_BUFFER,
LENDBUF_DELEGATION, LENDBUF_ACCESS and LENDBUF_SOCKET. When it exits the memory goes back. When the memory is taken away, touching it
raises SIGBUS, or fails with EFAULT in a system call; the command itself is left alone.

  lendbuf exec sim0/ch0 --for 15m --read-only -- ./capture --rate 100`;

export function addExec(program: Command): void {
  program
    .command("exec")
    .description("borrow a buffer for as long as a command runs")
    .argument("<buffer>", "which buffer", bufferName)
    .argument("<command...>", "after --: what to run, and its arguments")
    .usage("<buffer> [options] -- <command...>")
    .addOption(leaseOption())
    .option("--read-only", "reading is enough")
    .option("--shared", "others who share may have it at the same time")
    .option("--wait", "stand in line where it is taken")
    .addOption(purposeOption())
    .addHelpText("after", HELP)
    .action((buffer: string, words: string[], options: RequestOptions, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const relay = new SignalRelay();
        const follower = followerOnStderr(json);
        const lease = await borrowInLine(agent, requestOf(buffer, options), follower, relay.interrupted);
        process.exitCode = await run(agent, lease, words, relay, follower);
      }),
    );
}
