import { describe, expect, it } from "vitest";
import { parseMoment } from "../src/moment.ts";

const NOW = new Date(2026, 10, 28, 12, 0, 0).getTime();
const local = (day: number, hours: number, minutes: number) => new Date(2026, 10, day, hours, minutes).getTime();

describe("a time to come", () => {
  it.each([
    ["14:30", local(28, 14, 30)],
    ["9:05", local(29, 9, 5)],
    ["12:00", local(29, 12, 0)],
    ["2026-11-30 08:15", local(30, 8, 15)],
    ["2026-11-30T08:15:00Z", Date.UTC(2026, 10, 30, 8, 15)],
    ["2026-11-30T08:15+02:00", Date.UTC(2026, 10, 30, 6, 15)],
    ["+90m", NOW + 5_400_000],
    ["now", NOW],
  ])("%s", (text, at) => {
    expect(parseMoment(text, NOW)).toBe(at);
  });

  it.each(["", "24:00", "12:60", "tomorrow", "+", "+soon", "2026-13-01 10:00", "2026-11-30"])("is not %j", (text) => {
    expect(parseMoment(text, NOW)).toBeUndefined();
  });
});
