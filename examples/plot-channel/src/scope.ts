// What an oscilloscope does with a capture ring: find the newest samples, hold the picture still, draw it.
import { Canvas } from "./canvas.ts";

/** Where the next sample will be written: the end of what changed since the last look; undefined where nothing did. */
export function findHead(before: Int16Array, now: Int16Array): number | undefined {
  let first = -1;
  let last = -1;
  let head = 0;
  let longest = 0;
  for (let i = 0; i < now.length; i++) {
    if (now[i] === before[i]) continue;
    if (first === -1) first = i;
    else if (i - last > longest) {
      longest = i - last;
      head = last + 1;
    }
    last = i;
  }
  if (first === -1) return undefined;
  // What is unchanged around the ring's end is the gap between the last change and the first.
  return first + now.length - last > longest ? (last + 1) % now.length : head;
}

/** `count` samples that end at `head` or a little before: the window begins where the signal rises through the middle, if it does. */
export function newestWindow(ring: Int16Array, head: number, count: number): Int16Array {
  const at = (index: number) => ring[(index + ring.length) % ring.length]!;
  let start = head - count;
  for (let back = 0; back < Math.min(count, ring.length - count - 1); back++) {
    if (at(start - back - 1) < 0 && at(start - back) >= 0) {
      start -= back;
      break;
    }
  }
  return Int16Array.from({ length: count }, (_, i) => at(start + i));
}

export interface Trace {
  rows: string[];
  lowest: number;
  highest: number;
}

/** Each column of dots spans the samples that fall on it, so that no peak is lost. */
export function trace(samples: Int16Array, columns: number, rows: number): Trace {
  const canvas = new Canvas(columns, rows);
  const lowest = samples.reduce((least, sample) => Math.min(least, sample), 0);
  const highest = samples.reduce((most, sample) => Math.max(most, sample), 0);
  const span = Math.max(1, highest - lowest);
  const dot = (sample: number) => Math.round(((highest - sample) / span) * (canvas.height - 1));
  for (let x = 0; x < canvas.width; x++) {
    const from = Math.floor((x * samples.length) / canvas.width);
    const to = Math.max(from + 1, Math.ceil(((x + 1) * samples.length) / canvas.width));
    const part = samples.subarray(Math.max(0, from - 1), to);
    canvas.line(x, dot(Math.max(...part)), dot(Math.min(...part)));
  }
  return { rows: canvas.rows(), lowest, highest };
}
