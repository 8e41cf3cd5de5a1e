import { AgentError } from "@lendbuf/shared/errors";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import type { Device } from "../devices/device.ts";
import { drain, undrain } from "../revocation/drain.ts";
import { suspend } from "../revocation/suspend.ts";
import { input, type Output, router } from "./trpc.ts";

export const devicesRouter = router({
  list: input("devices.list").query(({ ctx: { core } }): Output<"devices.list"> => devicesOf(core)),
  suspend: input("devices.suspend").mutation(({ ctx, input }) => switchMemory(ctx, input.name, true)),
  resume: input("devices.resume").mutation(({ ctx, input }) => switchMemory(ctx, input.name, false)),
  drain: input("devices.drain").mutation(({ ctx, input: { name, ...order } }): Output<"devices.drain"> => {
    const device = operated(ctx, name);
    drain(ctx.core, device, order, ctx.caller);
    return device.view();
  }),
  undrain: input("devices.undrain").mutation(({ ctx, input: { name } }): Output<"devices.undrain"> => {
    const device = operated(ctx, name);
    undrain(ctx.core, name, ctx.caller.actor);
    return device.view();
  }),
});

export function devicesOf(core: Core): Output<"devices.list"> {
  return [...core.devices.values()].map((device) => device.view());
}

/** @throws AgentError NOT_FOUND */
function operated(ctx: Context, name: string): Device {
  const device = ctx.core.devices.get(name);
  if (device) return device;
  throw new AgentError("NOT_FOUND", `There is no device "${name}". \`lendbuf devices\` lists them.`);
}

async function switchMemory(ctx: Context, name: string, off: boolean): Promise<Output<"devices.suspend">> {
  const { core, caller } = ctx;
  const device = operated(ctx, name);
  await suspend(core, device, off, caller.actor);
  return device.view();
}
