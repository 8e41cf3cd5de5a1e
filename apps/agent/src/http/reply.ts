import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { AgentError } from "@lendbuf/shared/errors";
import type { TRPCError } from "@trpc/server";
import type { Core } from "../core.ts";
import type { Refusal } from "./guard.ts";

/** On every answer; an answer that is a page adds its own content security policy. */
export const SECURITY_HEADERS = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export function replyJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}

export function refuse(
  response: ServerResponse,
  { status, code, message }: Refusal,
  headers: Record<string, string> = {},
): void {
  // The rest of a body that nobody wants is not read.
  replyJson(response, status, { error: { code, message } }, { connection: "close", ...headers });
}

/** Where there is no response object: upgrades, and bytes that are no request. */
export function refuseBare(socket: Duplex, { status, code, message }: Refusal): void {
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  // Ended is not closed: who does not close its side would keep ours.
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** What a caller is only told to look up in the log. */
export function logBug({ log }: Core, error: TRPCError, method: string | undefined): void {
  if (error.code === "INTERNAL_SERVER_ERROR" && !(error.cause instanceof AgentError))
    log.error({ method, cause: error.cause ?? error }, "request failed");
}
