import { formatDuration } from "@lendbuf/shared/duration";

/** "in 12m 5s", "3m ago", "now". */
export function relative(at: number, now = Date.now()): string {
  const distance = Math.round((at - now) / 1000) * 1000;
  if (distance === 0) return "now";
  return distance > 0 ? `in ${formatDuration(distance)}` : `${formatDuration(-distance)} ago`;
}

/** "15:42:10", with the date where that is not today: local time. */
export function clock(at: number, now = Date.now()): string {
  const local = (time: number) => {
    const date = new Date(time);
    return new Date(time - date.getTimezoneOffset() * 60_000).toISOString();
  };
  const [day, time] = local(at).split("T") as [string, string];
  const seconds = time.slice(0, 8);
  return day === local(now).slice(0, 10) ? seconds : `${day} ${seconds}`;
}
