import pino from "pino";

/** JSON lines on stderr; LENDBUF_LOG sets the level. */
export function createLog(level = process.env.LENDBUF_LOG ?? "warn") {
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on("error", () => {}); // whoever read the log has gone; that ends no delegation
  return pino({ level, base: null }, destination);
}

export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "isLevelEnabled">;
