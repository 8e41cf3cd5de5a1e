import { AgentError } from "@lendbuf/shared/errors";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import { suspend } from "../revocation/suspend.ts";
import { input, type Output, router } from "./trpc.ts";

export const devicesRouter = router({
  list: input("devices.list").query(({ ctx: { core } }): Output<"devices.list"> => devicesOf(core)),
  suspend: input("devices.suspend").mutation(({ ctx, input }) => switchMemory(ctx, input.name, true)),
  resume: input("devices.resume").mutation(({ ctx, input }) => switchMemory(ctx, input.name, false)),
});

export function devicesOf(core: Core): Output<"devices.list"> {
  return [...core.devices.values()].map((device) => device.view());
}

async function switchMemory(ctx: Context, name: string, off: boolean): Promise<Output<"devices.suspend">> {
  const { core, caller } = ctx;
  const device = core.devices.get(name);
  if (!device) throw new AgentError("NOT_FOUND", `There is no device "${name}". \`lendbuf devices\` lists them.`);
  await suspend(core, device, off, caller.actor);
  return device.view();
}
