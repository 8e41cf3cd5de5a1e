import { parseDuration } from "@lendbuf/shared/duration";

const DAY_MS = 86_400_000;

/**
 * A time to come, as people write it: "14:30" (the next time that clocks show that), "2026-11-30 14:30", an ISO time with its zone, "+2h" from now,
 * "now". Local time where no zone is said. Undefined where it is none of these.
 */
export function parseMoment(text: string, now = Date.now()): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "now") return now;
  if (trimmed.startsWith("+")) {
    const ms = parseDuration(trimmed.slice(1));
    return ms === undefined ? undefined : now + ms;
  }
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(trimmed) ?? [];
  if (hours !== undefined && minutes !== undefined) return nextTime(Number(hours), Number(minutes), now);
  if (!/^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/.test(trimmed)) return undefined;
  const at = Date.parse(trimmed.replace(" ", "T"));
  return Number.isNaN(at) ? undefined : at;
}

function nextTime(hours: number, minutes: number, now: number): number | undefined {
  if (hours > 23 || minutes > 59) return undefined;
  const day = new Date(now);
  day.setHours(hours, minutes, 0, 0);
  if (day.getTime() <= now) day.setTime(day.getTime() + DAY_MS);
  day.setHours(hours, minutes, 0, 0); // also where a day has 23 or 25 hours
  return day.getTime();
}
