import type { IncomingMessage } from "node:http";
import type { Session } from "@lendbuf/shared/session";
import { callerOf, uidOf } from "../accounts/caller.ts";
import type { Caller, Core } from "../core.ts";

/** One name per port: cookies ignore ports, and two agents must not sign each other out. */
export function cookieName(port: number): string {
  return `lendbuf-${port}`;
}

/** The live sessions of a request's cookies. Another port can set one of the same name beside ours, so each counts. */
export function sessionsOf(core: Core, { headers }: IncomingMessage, port: number): Session[] {
  const prefix = `${cookieName(port)}=`;
  const cookies = headers.cookie?.split("; ").filter((part) => part.startsWith(prefix)) ?? [];
  return cookies.slice(0, MAX_COOKIES).flatMap((part) => core.sessions.ofCookie(part.slice(prefix.length)) ?? []);
}

const MAX_COOKIES = 10;

/** The caller behind a token that may do everything that its account may. */
export function callerOfToken(core: Core, request: IncomingMessage): Caller | undefined {
  const token = core.tokens.ofHeader(request.headers.authorization);
  if (token?.scope !== "all") return undefined;
  const { id, account, expiresAt } = token;
  return callerOf(uidOf(account), `token:${id}`, { door: "token", credential: id, expiresAt });
}

/** The caller behind a session: the cookie says which, the key that no other port of this host ever saw proves it. */
export function callerOfSession(core: Core, request: IncomingMessage, port: number, key: unknown): Caller | undefined {
  const session = sessionsOf(core, request, port).find(({ id }) => core.sessions.hasKey(id, key));
  if (!session) return undefined;
  const { id, account, expiresAt } = session;
  return callerOf(uidOf(account), `session:${id}`, { door: "session", credential: id, expiresAt });
}
