import type { Core } from "../core.ts";
import type { Device } from "../devices/device.ts";
import { orUnsupported } from "../wardens/unsupported.ts";

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
  await orUnsupported(device.suspend(off), `Device ${device.name} cannot be suspended`);
  if (off) core.store.recordLater(row);
  core.ledger.show(
    [...core.ledger.live.values()].filter(({ target }) => target.device === device),
    {},
  );
}
