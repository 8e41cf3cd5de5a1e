import type { Capability } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Live } from "./live.ts";

/** What nothing takes back is lent only where whoever runs the agent has said so. @throws AgentError NOT_ALLOWED */
export function checkRevocable(core: Core, { name, device }: Buffer<Live>, { exporter, scope }: Capability): void {
  const { allowIrrevocable } = core.config;
  if (scope !== "none" || allowIrrevocable.includes(name) || allowIrrevocable.includes(device.name)) return;
  throw new AgentError(
    "NOT_ALLOWED",
    `Buffer "${name}" would be lent by the exporter "${exporter}", and nothing takes that back by force: who has it keeps it for as long as they like, whatever becomes of the lease. Whoever runs the agent allows it with --allow-irrevocable ${name}, or ${device.name} for all of the device (LENDBUF_ALLOW_IRREVOCABLE).`,
  );
}
