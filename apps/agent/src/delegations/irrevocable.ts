import type { Capability } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import { irrevocableBy } from "../policy/decide.ts";
import type { Live } from "./live.ts";

/** What nothing takes back is lent only where whoever runs the agent has said so. @throws AgentError NOT_ALLOWED */
export function checkRevocable(
  core: Core,
  account: string,
  target: Buffer<Live>,
  { exporter, scope }: Capability,
): void {
  if (scope !== "none") return;
  const { isAllowed, rule } = irrevocableBy(core, account, target);
  if (isAllowed) return;
  const { name, device } = target;
  if (rule !== null)
    throw new AgentError(
      "NOT_ALLOWED",
      `Rule "${rule}" does not let ${account} have "${name}" by the exporter "${exporter}": nothing takes that back by force. Ask an admin, or choose another exporter.`,
    );
  throw new AgentError(
    "NOT_ALLOWED",
    `Buffer "${name}" would be lent by the exporter "${exporter}", and nothing takes that back by force: who has it keeps it for as long as they like, whatever becomes of the lease. Whoever runs the agent allows it with --allow-irrevocable ${name}, or ${device.name} for all of the device (LENDBUF_ALLOW_IRREVOCABLE), or by a rule.`,
  );
}
