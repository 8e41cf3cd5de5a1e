import { describe, expect, it } from "vitest";
import { findHead, newestWindow, trace } from "./scope.ts";

const RING = 64;

describe("the head of a capture ring", () => {
  const written = (from: number, count: number) => {
    const ring = new Int16Array(RING);
    for (let i = 0; i < count; i++) ring[(from + i) % RING] = 1 + i;
    return ring;
  };

  it.each([
    [0, 10, 10],
    [20, 10, 30],
    [60, 10, 6],
    [54, 10, 0],
  ])("after %i, %i samples on, is at %i", (from, count, head) => {
    expect(findHead(new Int16Array(RING), written(from, count))).toBe(head);
  });

  it("is not misled by samples that happen to be what they were", () => {
    const now = written(10, 20);
    now[15] = now[16] = now[17] = 0;

    expect(findHead(new Int16Array(RING), now)).toBe(30);
  });

  it("is unknown where nothing was written", () => {
    expect(findHead(written(0, 5), written(0, 5))).toBeUndefined();
  });
});

it("holds a periodic signal still: the window begins where it rises through zero", () => {
  const ring = Int16Array.from({ length: 1000 }, (_, i) => 100 * Math.sin((2 * Math.PI * i) / 50));

  const windows = [500, 513, 531].map((head) => [...newestWindow(ring, head, 100)]);

  expect(windows[0]![0]).toBe(0);
  expect(windows[0]![12]).toBeGreaterThan(90);
  expect(windows[1]).toEqual(windows[0]);
  expect(windows[2]).toEqual(windows[0]);
});

it("draws every peak, however narrow", () => {
  const samples = new Int16Array(1000);
  samples[503] = 1000;

  const { rows, lowest, highest } = trace(samples, 10, 3);

  expect([lowest, highest]).toEqual([0, 1000]);
  expect(rows.map((row) => row.length)).toEqual([10, 10, 10]);
  expect(rows[0]!.replaceAll("\u2800", "")).toHaveLength(1);
  expect(rows[2]).not.toContain("\u2800");
});
