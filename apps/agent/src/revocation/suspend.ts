import { AgentError } from "@lendbuf/shared/errors";
import type { Core } from "../core.ts";
import type { Device } from "../devices/device.ts";

/**
 * Takes a device's memory from everybody for now, or gives it back: delegations go on, and whoever touches it meanwhile meets SIGBUS
 * or EFAULT. Idempotent. Taking never waits for the store.
 * @throws AgentError UNSUPPORTED, DEVICE_LOST, STORE_READ_ONLY; what the warden answers
 */
export async function suspend(core: Core, device: Device, off: boolean, actor: string): Promise<void> {
  const row = {
    at: Date.now(),
    actor,
    action: off ? "device.suspended" : "device.resumed",
    detail: { device: device.name },
  };
  if (!off && !device.isSuspended) return;
  if (!off) core.store.record(row);
  try {
    await device.suspend(off);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EOPNOTSUPP") throw cause;
    throw new AgentError("UNSUPPORTED", `Device ${device.name} cannot be suspended: ${(cause as Error).message}.`, {
      cause,
    });
  }
  if (off) core.store.recordLater(row);
  core.ledger.show(
    [...core.ledger.live.values()].filter(({ target }) => target.device === device),
    {},
  );
}
