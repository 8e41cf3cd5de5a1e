import type { Width } from "@lendbuf/shared/buffer";
import type { Command } from "commander";
import { bufferName, offset, widthOption, word } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planPoke } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  width?: Width;
  dryRun?: boolean;
}

export function addPoke(program: Command): void {
  program
    .command("poke")
    .description("write a register of a device, with one access of its width")
    .argument("<buffer>", "of which buffer", bufferName)
    .argument("<offset>", "bytes from its start: 8, 0x10", offset)
    .argument("<value>", "what to write: 1000, 0xff", word)
    .addOption(widthOption())
    .addOption(dryRunOption())
    .action((name: string, at: number, value: string, { dryRun, ...options }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planPoke(agent, name, `${value} at 0x${at.toString(16)}`), json);
        const poked = await agent.call("buffers.poke", { name, offset: at, value, ...options });
        if (json) return printJson(poked);
        const lent = poked.lentTo.map(({ id, account }) => `${account} (delegation ${id})`);
        const whose = lent.length > 0 ? `; it is lent to ${lent.join(", ")}` : "";
        await printDone(`Wrote ${poked.value} (${poked.width} bits) at 0x${at.toString(16)} of ${name}${whose}.`);
      }),
    );
}
