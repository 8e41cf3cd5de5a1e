import pino from "pino";

/** JSON lines on stderr; LENDBUF_LOG sets the level. */
export function createLog(level = process.env.LENDBUF_LOG ?? "warn") {
  return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
}

export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error">;
