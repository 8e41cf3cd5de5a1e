import type { Input, Synced } from "@lendbuf/shared/api";
import type { Width } from "@lendbuf/shared/buffer";
import { AgentError } from "@lendbuf/shared/errors";
import type { Live } from "./live.ts";

/** In the buffer, in bytes; both multiples of the width. */
export interface Part {
  direction: Input<"delegations.sync">["direction"];
  offset: number;
  /** All that follows without. */
  length?: number | undefined;
  width: Width;
}

const underWay = new WeakMap<Live, Promise<unknown>>();

/**
 * Copies between a window and the device, for whoever has the delegation. One copy of it at a time, the others in turn: each occupies
 * a thread of the warden, which is everybody's.
 * @throws AgentError NOT_READY, UNSUPPORTED, NOT_ALLOWED, BAD_INPUT, ENDED, DEVICE_LOST; EFAULT, EIO as the warden answers
 */
export function sync(live: Live, part: Part): Promise<Synced> {
  const mine = (underWay.get(live) ?? Promise.resolve()).then(() => copy(live, part));
  underWay.set(
    live,
    mine.catch(() => {}),
  );
  return mine;
}

async function copy(live: Live, { direction, offset, length: asked, width }: Part): Promise<Synced> {
  const { record, exported } = live;
  const { id, size, access } = record;
  if (record.state === "revoking") throw ended(id);
  if (!exported || exported.fd < 0)
    throw new AgentError("NOT_READY", `Delegation ${id} is ${record.state}: claim it first, then copy.`);
  if (exported.exporter.exporter !== "staged")
    throw new AgentError(
      "UNSUPPORTED",
      `Delegation ${id} is lent by the exporter "${exported.exporter.exporter}": its holder has the device's memory itself, and nothing is to be copied. A staged one is asked for with exporter: "staged".`,
    );
  const toDevice = direction === "to-device";
  if (toDevice && access === "read-only")
    throw new AgentError("NOT_ALLOWED", `Delegation ${id} is read-only: nothing is copied to the device.`);
  const word = width / 8;
  const length = asked ?? size - offset;
  if (offset % word || length % word)
    throw new AgentError(
      "BAD_INPUT",
      `Offset ${offset} and length ${length} must be multiples of ${word} bytes, as the width of ${width} bits is.`,
    );
  if (length <= 0 || offset + length > size)
    throw new AgentError(
      "BAD_INPUT",
      `Bytes ${offset} to ${offset + length} are not in the window, which has ${size}.`,
    );
  const start = performance.now();
  try {
    await exported.warden.sync({ id: exported.id, offset, length, width, toDevice });
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === "EBADFD" ? ended(id) : cause;
  }
  return { length, durationMs: Math.round((performance.now() - start) * 1000) / 1000 };
}

function ended(id: number): AgentError {
  return new AgentError(
    "ENDED",
    `Delegation ${id} is taken back: what was not copied before never is. Ask for a new one.`,
  );
}
