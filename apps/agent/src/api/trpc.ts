import { INPUTS, type Input, type Method, type Output } from "@lendbuf/shared/api";
import { AgentError, type ErrorCode } from "@lendbuf/shared/errors";
import { initTRPC, TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { type TRPC_ERROR_CODE_KEY, TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { z } from "zod";
import { requireRole } from "../accounts/permission.ts";
import type { Context, FdReply } from "../context.ts";
import type { Caller } from "../core.ts";

export interface ErrorData {
  code: ErrorCode | string;
  httpStatus?: number;
  errno?: number;
  syscall?: string;
  issues?: { path: PropertyKey[]; message: string }[];
}

const TRPC_CODES: Record<ErrorCode, TRPC_ERROR_CODE_KEY> = {
  BAD_INPUT: "BAD_REQUEST",
  UNKNOWN_METHOD: "NOT_FOUND",
  NOT_FOUND: "NOT_FOUND",
  NOT_YOURS: "FORBIDDEN",
  NOT_ALLOWED: "FORBIDDEN",
  WRONG_DOOR: "METHOD_NOT_SUPPORTED",
  BUSY: "CONFLICT",
  RESERVED: "CONFLICT",
  DRAINED: "CONFLICT",
  NOT_READY: "CONFLICT",
  ENDED: "CONFLICT",
  ALREADY_CLAIMED: "CONFLICT",
  ALREADY_EXISTS: "CONFLICT",
  OVERLAP: "CONFLICT",
  IN_USE: "CONFLICT",
  BLAST_RADIUS: "CONFLICT",
  UNSUPPORTED: "UNPROCESSABLE_CONTENT",
  LIMIT: "TOO_MANY_REQUESTS",
  UNREAD_CLAIM: "TOO_MANY_REQUESTS",
  STORE_READ_ONLY: "PRECONDITION_FAILED",
  DEVICE_LOST: "PRECONDITION_FAILED",
  EXPORT_FAILED: "PRECONDITION_FAILED",
  CANCELLED: "CLIENT_CLOSED_REQUEST",
  INTERNAL: "INTERNAL_SERVER_ERROR",
};

const t = initTRPC.context<Context>().create({
  isDev: false, // else stacks go to clients
  sse: { enabled: false }, // a WebSocket's subscriptions are counted, and wait for those who read slowly
  errorFormatter({ shape, error }) {
    const { cause } = error;
    const with_ = (message: string, code: number, data: ErrorData) => ({
      ...shape,
      message,
      code,
      data: { ...shape.data, ...data },
    });
    if (cause instanceof AgentError) {
      const code = TRPC_CODES[cause.code];
      const httpStatus = getHTTPStatusCodeFromError(new TRPCError({ code }));
      return with_(cause.message, TRPC_ERROR_CODES_BY_KEY[code], { code: cause.code, httpStatus });
    }
    // An output that does not fit is a ZodError too, and a bug of ours.
    if (error.code === "BAD_REQUEST" && cause instanceof z.ZodError) {
      const issues = cause.issues.slice(0, MAX_ISSUES).map(({ path, message }) => ({ path, message: cut(message) }));
      return with_(describe(issues), shape.code, { code: "BAD_INPUT", issues });
    }
    if (cause && "syscall" in cause) {
      const { message, code = "INTERNAL", errno, syscall } = cause as NodeJS.ErrnoException;
      return with_(message, shape.code, {
        code,
        ...(errno !== undefined && { errno }),
        ...(syscall !== undefined && { syscall }),
      });
    }
    const refused = REFUSED[error.code];
    if (refused) return with_(cut(error.message), shape.code, { code: refused });
    return with_("Internal error; the agent's log says more.", shape.code, { code: "INTERNAL" });
  },
});

/** What tRPC itself turns away: no procedure was called. */
const REFUSED: Partial<Record<TRPC_ERROR_CODE_KEY, ErrorCode | "UNAUTHORIZED">> = {
  PARSE_ERROR: "BAD_INPUT",
  BAD_REQUEST: "BAD_INPUT",
  PAYLOAD_TOO_LARGE: "BAD_INPUT",
  UNSUPPORTED_MEDIA_TYPE: "BAD_INPUT",
  METHOD_NOT_SUPPORTED: "BAD_INPUT",
  NOT_FOUND: "UNKNOWN_METHOD",
  UNAUTHORIZED: "UNAUTHORIZED",
};

/** An input may have thousands of problems, or one in a field whose name fills a packet; the answer must fit into one. */
const MAX_ISSUES = 10;
const MAX_WORDS = 200;

function cut(message: string): string {
  return message.length > MAX_WORDS ? `${message.slice(0, MAX_WORDS)}…` : message;
}

function describe(issues: { path: PropertyKey[]; message: string }[]): string {
  return `Bad input: ${issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message)).join("; ")}.`;
}

export const router = t.router;

/** The procedure of a path of the contract: its input checked, its output typed by it. */
export function input<M extends Method>(path: M) {
  return t.procedure.use(permit(path)).input(schemaOf(path));
}

/** The same for one that goes on: a connection may have so many. */
export function subscription<M extends Method>(path: M) {
  return t.procedure.use(permit(path)).use(countSubscription).use(permitWhileItLasts(path)).input(schemaOf(path));
}

function schemaOf<M extends Method>(path: M) {
  return INPUTS[path] as unknown as z.ZodType<z.output<(typeof INPUTS)[M]>, Input<M>>;
}

/** Whoever may not call it is not told what is wrong with its input. */
function permit(path: Method) {
  return t.middleware(({ ctx, next }) => {
    requireRole(ctx.caller, path);
    return next();
  });
}

/** A subscription may outlast the role that it was begun with. */
function permitWhileItLasts(path: Method) {
  return t.middleware(async ({ ctx, next }) => {
    const result = await next();
    return result.ok ? { ...result, data: permitted(result.data as AsyncIterable<unknown>, ctx.caller, path) } : result;
  });
}

async function* permitted(values: AsyncIterable<unknown>, caller: Caller, path: Method): AsyncGenerator<unknown> {
  for await (const value of values) {
    requireRole(caller, path);
    yield value;
  }
}

const MAX_SUBSCRIPTIONS = 64;

const countSubscription = t.middleware(async ({ ctx, signal = ctx.signal, next }) => {
  const { subscriptions } = ctx;
  if (!subscriptions) return next({ ctx: { signal } });
  if (subscriptions.count >= MAX_SUBSCRIPTIONS) {
    throw new AgentError(
      "LIMIT",
      `This connection has ${MAX_SUBSCRIPTIONS} subscriptions, the most that one may have. End some.`,
    );
  }
  subscriptions.count++; // before anybody else looks
  const result = await next({ ctx: { signal } });
  if (!result.ok) {
    subscriptions.count--;
    return result;
  }
  return { ...result, data: uncountAfter(result.data as AsyncIterable<unknown>, subscriptions) };
});

async function* uncountAfter(
  values: AsyncIterable<unknown>,
  subscriptions: { count: number },
): AsyncGenerator<unknown> {
  try {
    yield* values;
  } finally {
    subscriptions.count--;
  }
}

export type { Output };

/** @throws AgentError WRONG_DOOR on doors that cannot carry an fd */
export function fdReplyOf({ fdReply }: Context): FdReply {
  if (fdReply) return fdReply;
  throw new AgentError(
    "WRONG_DOOR",
    "A file descriptor can only be handed over through the agent's unix socket. Claim from a program on this host.",
  );
}
