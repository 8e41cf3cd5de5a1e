import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../src/duration.ts";

describe("durations", () => {
  it.each([
    ["90", 90_000],
    ["1h", 3_600_000],
    ["1h30m", 5_400_000],
    ["15 min", 900_000],
    ["2d", 172_800_000],
    ["250ms", 250],
    ["1.5h", 5_400_000],
    ["1w", 604_800_000],
  ])("reads %s as %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "1x", "h", "-1h", "1h foo", "NaN", "Infinity", "1e12", "0x10"])("does not take %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("reads what it writes, but for the smaller units", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 10 ** 10 }), (ms) => {
        const read = parseDuration(formatDuration(ms))!;
        expect(read).toBeLessThanOrEqual(ms);
        expect(read).toBeGreaterThan(ms - 86_400_000);
      }),
    );
  });
});
