import type { Width } from "@lendbuf/shared/buffer";
import type { Command } from "commander";
import { bufferName, offset, widthOption, word } from "../arguments.ts";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addPoke(program: Command): void {
  program
    .command("poke")
    .description("write a register of a device, with one access of its width")
    .argument("<buffer>", "of which buffer", bufferName)
    .argument("<offset>", "bytes from its start: 8, 0x10", offset)
    .argument("<value>", "what to write: 1000, 0xff", word)
    .addOption(widthOption())
    .action((name: string, at: number, value: string, options: { width?: Width }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const poked = await agent.call("buffers.poke", { name, offset: at, value, ...options });
        if (json) return printJson(poked);
        const lent = poked.lentTo.map(({ id, account }) => `${account} (delegation ${id})`);
        const whose = lent.length > 0 ? `; it is lent to ${lent.join(", ")}` : "";
        await printLine(`Wrote ${poked.value} (${poked.width} bits) at 0x${at.toString(16)} of ${name}${whose}.`);
      }),
    );
}
