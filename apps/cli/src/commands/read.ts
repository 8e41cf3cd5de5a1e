import type { Calls } from "@lendbuf/client/calls";
import type { Contents } from "@lendbuf/shared/buffer";
import { type Command, Option } from "commander";
import { bufferName, offset, size } from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import { HexDump } from "../output/hex-dump.ts";
import { print, printJsonLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

/** Bytes asked for at once; at most MAX_READ of the API. */
const PIECE = 32_768;
const SHOWN = 256;

interface Options {
  offset?: number;
  length?: number;
  raw?: boolean;
}

export function addRead(program: Command): void {
  program
    .command("read")
    .description("what is in a buffer's memory, as hexadecimal digits and text")
    .argument("<buffer>", "which buffer", bufferName)
    .addOption(new Option("--offset <offset>", "bytes from the start: 8, 0x10 (default: 0)").argParser(offset))
    .option("--length <bytes>", `so many: 4096, 1MiB (default: ${SHOWN}, with --raw all that follows)`, size)
    .option("--raw", "the bytes themselves, for another program")
    .action((name: string, { offset: start = 0, length, raw }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (raw && json) throw usageFailure("--raw and --json exclude each other: leave one out.");
        const show = json ? printJsonLine : raw ? printContents : dumper();
        const end = await endOf(agent, name, start, length ?? (raw ? Number.POSITIVE_INFINITY : SHOWN));
        for (let at = start; at < end; at += PIECE)
          await show(await agent.call("buffers.read", { name, offset: at, length: Math.min(PIECE, end - at) }));
      }),
    );
}

/** Where a length was not given exactly, the buffer's end. */
async function endOf(agent: Calls, name: string, start: number, length: number): Promise<number> {
  const { size: all } = await agent.call("buffers.get", { name });
  if (start >= all) throw usageFailure(`Offset ${start} is not in ${name}, which has ${all} bytes.`);
  return Math.min(all, start + length);
}

const bytesOf = ({ bytes }: Contents) => Buffer.from(bytes, "base64");

const printContents = (contents: Contents) => print(bytesOf(contents));

function dumper(): (contents: Contents) => Promise<void> {
  const dump = new HexDump();
  return (contents) => print(dump.lines(contents.offset, bytesOf(contents)).join(""));
}
