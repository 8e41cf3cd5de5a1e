import { readFileSync } from "node:fs";

/** The login name of a uid by /etc/passwd; null where it has none there. */
export function nameOf(uid: number): string | null {
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.split(":")[2] === String(uid));
    return line?.split(":")[0] || null;
  } catch {
    return null;
  }
}
