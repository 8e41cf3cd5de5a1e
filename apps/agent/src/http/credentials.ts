import type { IncomingMessage } from "node:http";
import { ROLE_OF_SCOPE } from "@lendbuf/shared/role";
import type { Session } from "@lendbuf/shared/session";
import { callerOf } from "../accounts/caller.ts";
import type { Caller, Core } from "../core.ts";
import type { Place } from "./place.ts";

/** One name per port: cookies ignore ports, and two agents must not sign each other out. Over TLS no other host may set it. */
export function cookieName({ scheme, port }: Place): string {
  return scheme === "https" ? `__Host-lendbuf-${port}` : `lendbuf-${port}`;
}

/** The live sessions of a request's cookies. Another port can set one of the same name beside ours, so each counts. */
export function sessionsOf(core: Core, { headers }: IncomingMessage, place: Place): Session[] {
  const prefix = `${cookieName(place)}=`;
  const cookies = headers.cookie?.split("; ").filter((part) => part.startsWith(prefix)) ?? [];
  return cookies.slice(0, MAX_COOKIES).flatMap((part) => core.sessions.ofCookie(part.slice(prefix.length)) ?? []);
}

const MAX_COOKIES = 10;

/** The caller behind a token that may do everything that its account may. */
export function callerOfToken(core: Core, request: IncomingMessage): Caller | undefined {
  const token = core.tokens.ofHeader(request.headers.authorization);
  if (!token || token.scope === "calendar") return undefined;
  const { id, account, scope, expiresAt } = token;
  const came = { door: "token", credential: id, expiresAt } as const;
  const through = () => `token:${id} ${addressOf(request)}`;
  return present(callerOf(core.accounts, account, through, came, { most: ROLE_OF_SCOPE[scope] }));
}

/** The caller behind a session: the cookie says which, the key that no other port of this host ever saw proves it. */
export function callerOfSession(core: Core, request: IncomingMessage, place: Place, key: unknown): Caller | undefined {
  const session = sessionsOf(core, request, place).find(({ id }) => core.sessions.hasKey(id, key));
  if (!session) return undefined;
  const { id, account, expiresAt } = session;
  const came = { door: "session", credential: id, expiresAt } as const;
  return present(callerOf(core.accounts, account, () => `session:${id} ${addressOf(request)}`, came));
}

/** Where a request comes from, for the audit. */
export function addressOf({ socket }: IncomingMessage): string {
  const { remoteAddress = "gone", remotePort = 0 } = socket;
  return `${remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}

/** Undefined where its account has no way in any more. */
function present(caller: Caller): Caller | undefined {
  return caller.role === null ? undefined : caller;
}
