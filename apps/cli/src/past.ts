import { parseDuration } from "@lendbuf/shared/duration";

const DAY_MS = 86_400_000;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/**
 * A time that has been, as people write it: "2026-11-24 15:00", "2026-11-24T15:00Z", "2026-11-24", "15:00", "yesterday 15:00",
 * "tuesday 15:00" (the last one), "2h ago". Local time where no zone is named. Undefined where it is none of these.
 */
export function parsePast(text: string, now = Date.now()): number | undefined {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/^last /, "");
  if (words === "now") return now;
  const ago = words.replace(/ ago$/, "");
  if (/[a-z]$/.test(ago) && /^\d/.test(ago)) {
    const distance = parseDuration(ago);
    if (distance !== undefined) return now - distance;
  }
  if (/^\d{4}-\d\d-\d\d/.test(words)) return dateTime(words.toUpperCase());
  const [, day, clock] = /^([a-z]*)(?:\s*(\d{1,2}:\d\d(?::\d\d)?))?$/.exec(words) ?? [];
  if (day === undefined || (day === "" && clock === undefined)) return undefined;
  return onDay(day, clock ?? "0:00", now);
}

function dateTime(words: string): number | undefined {
  const [, day, time = "00:00", zone = ""] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:?\d\d)?$/.exec(words) ?? [];
  const at = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}

/** The last time that it was so late on such a day. */
function onDay(day: string, clock: string, now: number): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(":").map(Number);
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const on = (daysAgo: number) => {
    const date = new Date(now - daysAgo * DAY_MS);
    date.setHours(hours, minutes, seconds, 0);
    return date.getTime();
  };
  if (day === "today") return on(0);
  if (day === "yesterday") return on(1);
  if (day === "") return on(0) <= now ? on(0) : on(1);
  const weekday = WEEKDAYS.findIndex((name) => name === day || name.slice(0, 3) === day);
  if (weekday < 0) return undefined;
  const daysAgo = (new Date(now).getDay() - weekday + 7) % 7;
  return on(daysAgo) <= now ? on(daysAgo) : on(daysAgo + 7);
}
