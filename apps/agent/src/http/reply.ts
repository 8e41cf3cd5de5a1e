import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { AgentError } from "@lendbuf/shared/errors";
import { getTRPCErrorShape, type TRPCError } from "@trpc/server";
import { noteRefused, noteTurnedAway } from "../accounts/refused.ts";
import { appRouter } from "../api/router.ts";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import { addressOf } from "./credentials.ts";
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

/** A call that failed: into the audit where it was refused, and into the log what a caller is only told to look up there. */
export function noteFailure(
  core: Core,
  request: IncomingMessage,
  {
    error,
    path = "connect",
    input,
    ctx,
  }: { error: TRPCError; path?: string | undefined; input: unknown; ctx?: Context | undefined },
): void {
  const shape = getTRPCErrorShape({ config: appRouter._def._config, error, type: "unknown", path, input, ctx });
  const refusal = { code: shape.data.code, message: shape.message };
  if (ctx) noteRefused(core, ctx.caller, path, refusal, input);
  else noteTurnedAway(core, addressOf(request), "connect", refusal);
  if (error.code === "INTERNAL_SERVER_ERROR" && !(error.cause instanceof AgentError))
    core.log.error(
      { method: path, actor: ctx?.caller.actor, seq: core.store.head.seq, cause: error.cause ?? error },
      "request failed",
    );
}
