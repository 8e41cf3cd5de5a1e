import type { Command } from "commander";
import { DEVICE_COLUMNS } from "../output/device.ts";
import { printList } from "../output/list.ts";
import { withAgent } from "../session.ts";

export function addDevices(program: Command): void {
  program
    .command("devices")
    .description("the devices, and how each can take memory back")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        await printList(await agent.call("devices.list"), DEVICE_COLUMNS, { json, empty: "No devices." });
      }),
    );
}
