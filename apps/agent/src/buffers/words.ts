import { hexOf, type Peeked, type Width } from "@lendbuf/shared/buffer";
import { AgentError } from "@lendbuf/shared/errors";
import type { Store } from "../store/store.ts";
import { orUnsupported } from "../wardens/unsupported.ts";
import type { Warden } from "../wardens/warden.ts";
import type { Buffer } from "./buffer.ts";

export interface Word {
  /** Bytes from the buffer's start, whatever its ranges are. */
  offset: number;
  width: Width;
}

/** Loads words one after the other, each with one access of its width. @throws AgentError BAD_INPUT, UNSUPPORTED, DEVICE_LOST, or what the warden answers */
export async function peek(buffer: Buffer, { offset, width }: Word, count: number): Promise<Peeked> {
  const bytes = width / 8;
  const places = Array.from({ length: count }, (_, i) => placeOf(buffer, { offset: offset + i * bytes, width }));
  const values: string[] = [];
  for (const place of places) {
    const value = await access(buffer, buffer.device.readyWarden(), { ...place, width, value: null });
    values.push(hexOf(value, width));
  }
  return { offset, width, values, at: Date.now() };
}

/**
 * Stores one word. What was asked is durable before it is done, and so is said where it could not be done.
 * @throws AgentError BAD_INPUT, UNSUPPORTED, DEVICE_LOST, STORE_READ_ONLY, or what the warden answers
 */
export async function poke(buffer: Buffer, word: Word, text: string, actor: string, store: Store): Promise<string> {
  const { offset, width } = word;
  const value = BigInt(text);
  if (value >> BigInt(width)) throw new AgentError("BAD_INPUT", `${text} has more than ${width} bits.`);
  const place = placeOf(buffer, word);
  const warden = buffer.device.readyWarden();
  const asked = { device: buffer.device.name, offset, width, value: hexOf(value, width) };
  store.record({ at: Date.now(), actor, action: "buffer.poked", buffer: buffer.name, detail: asked });
  try {
    await access(buffer, warden, { ...place, width, value });
  } catch (cause) {
    const detail = { ...asked, why: cause instanceof Error ? cause.message : String(cause) };
    store.recordLater({ at: Date.now(), actor, action: "buffer.poke-failed", buffer: buffer.name, detail });
    throw cause;
  }
  return asked.value;
}

/** @throws AgentError UNSUPPORTED, DEVICE_LOST, or what the warden answers */
function access({ name }: Buffer, warden: Warden, word: Parameters<Warden["access"]>[0]): Promise<bigint> {
  return orUnsupported(warden.access(word), `Buffer "${name}" cannot be read or written here`);
}

/** Where the device has the word: pages are whole in each range, so an aligned word is in one of them. */
function placeOf({ name, size, definition }: Buffer, { offset, width }: Word): { region: number; offset: number } {
  const bytes = width / 8;
  if (offset % bytes)
    throw new AgentError("BAD_INPUT", `Offset ${offset} is not a multiple of ${bytes}, as ${width} bits must be.`);
  if (offset + bytes > size)
    throw new AgentError("BAD_INPUT", `Bytes ${offset} to ${offset + bytes} are not in "${name}", which has ${size}.`);
  let left = offset;
  for (const range of definition.ranges) {
    if (left < range.length) return { region: definition.region, offset: range.offset + left };
    left -= range.length;
  }
  throw new Error(`${name} is smaller than it says`);
}
