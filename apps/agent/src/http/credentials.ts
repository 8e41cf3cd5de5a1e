import type { IncomingMessage } from "node:http";
import { callerOf, uidOf } from "../accounts/caller.ts";
import type { Caller, Core } from "../core.ts";

/** One name per port: cookies ignore ports, and two agents must not sign each other out. */
export function cookieName(port: number): string {
  return `lendbuf-${port}`;
}

export function cookieOf({ headers }: IncomingMessage, port: number): string | undefined {
  const prefix = `${cookieName(port)}=`;
  const found = headers.cookie?.split("; ").find((part) => part.startsWith(prefix));
  return found?.slice(prefix.length);
}

/** The caller behind a token. */
export function callerOfToken(core: Core, request: IncomingMessage): Caller | undefined {
  const token = core.tokens.ofHeader(request.headers.authorization);
  return token && callerOf(uidOf(token.account), `token:${token.id}`, { door: "token", credential: token.id });
}

/** The caller behind a session: the cookie says which, the key that no other port of this host ever saw proves it. */
export function callerOfSession(core: Core, request: IncomingMessage, port: number, key: unknown): Caller | undefined {
  const session = core.sessions.ofCookie(cookieOf(request, port));
  if (!session || !core.sessions.hasKey(session.id, key)) return undefined;
  return callerOf(uidOf(session.account), `session:${session.id}`, { door: "session", credential: session.id });
}
