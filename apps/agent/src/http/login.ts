import type { IncomingMessage, ServerResponse } from "node:http";
import { PASSWORD_LENGTH } from "@lendbuf/shared/account";
import { AgentError } from "@lendbuf/shared/errors";
import { z } from "zod";
import { noteTurnedAway } from "../accounts/refused.ts";
import type { Opened } from "../accounts/sessions.ts";
import type { Core } from "../core.ts";
import { addressOf, cookieName } from "./credentials.ts";
import type { Refusal } from "./guard.ts";
import type { Place } from "./place.ts";
import { refuse, replyJson } from "./reply.ts";
import { sourceOf } from "./source.ts";

const MAX_BODY = 4096;
const WINDOW_MS = 60_000;
const MAX_FAILURES = 10;

const BySecret = z.strictObject({
  secret: z.string().min(1).max(200),
  /** What the page kept that went to the identity provider. */
  page: z.string().max(200).optional(),
});
const ByPassword = z.strictObject({
  account: z.string().min(1).max(64),
  password: z.string().min(1).max(PASSWORD_LENGTH.most),
  newPassword: z.string().min(PASSWORD_LENGTH.least).max(PASSWORD_LENGTH.most).optional(),
});
const Body = z.union([BySecret, ByPassword]);

/** Who asks: for what is counted, and for the audit. */
interface From {
  source: string;
  address: string;
}

/** Why not, and after how many seconds again. */
type Refused = Refusal & { retryAfter?: number };

/** The ways for a browser to become a session: a link's secret, a name and a password, an identity provider. */
export class Login {
  readonly #core: Core;
  /** When links failed, by who tried them. */
  readonly #failures = new Map<string, number[]>();

  constructor(core: Core) {
    this.#core = core;
  }

  async answer(request: IncomingMessage, response: ServerResponse, path: string, place: Place): Promise<void> {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (path === "/login/oidc/callback")
      return isRead ? this.#arrive(request, response) : refuse(response, READ_ONLY, { allow: "GET, HEAD" });
    if (path === "/login" && isRead)
      return replyJson(response, 200, { oidc: this.#core.oidc ? { name: this.#core.oidc.name } : null });
    if (request.method !== "POST") return refuse(response, BY_POST, { allow: "POST" });
    // A header of our own, and JSON: neither can be sent across origins without asking us first, and we never agree.
    const isOurs = request.headers["x-lendbuf"] === "1" && request.headers["content-type"] === "application/json";
    if (!isOurs) return refuse(response, NOT_OURS);
    const body = await readJson(request);
    const source = await sourceOf(request);
    if (source === undefined) return void response.destroy();
    try {
      if (path === "/login/oidc")
        return replyJson(response, 200, await this.#leave(`${place.scheme}://${request.headers.host}`, source));
      const opened = await this.#open(body, { source, address: addressOf(request) });
      if ("status" in opened) return this.#refuse(response, opened);
      const maxAge = Math.floor((opened.expiresAt - Date.now()) / 1000);
      const secure = place.scheme === "https" ? "; Secure" : "";
      const cookie = `${cookieName(place)}=${opened.cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAge}${secure}`;
      replyJson(response, 200, { key: opened.key }, { "set-cookie": cookie });
    } catch (cause) {
      if (!(cause instanceof AgentError)) throw cause;
      const status = cause.code === "NOT_FOUND" ? 404 : cause.code === "NOT_ALLOWED" ? 403 : 503;
      refuse(response, { status, code: cause.code, message: cause.message });
    }
  }

  /** After the body: many could wait with theirs until all have passed. */
  #open(body: unknown, from: From): Promise<Opened | Refused> | Opened | Refused {
    const { success, data } = Body.safeParse(body);
    if (success && "password" in data) return this.#byPassword(data, from);
    const waitMs = this.#waitMs(from.source);
    if (waitMs > 0) return tooMany(waitMs);
    return success ? this.#bySecret(data as z.infer<typeof BySecret>, from) : NO_BODY;
  }

  #bySecret({ secret, page }: z.infer<typeof BySecret>, { source, address }: From): Opened | Refused {
    const { sessions, oidc, accounts } = this.#core;
    const arrival = page === undefined ? undefined : oidc?.take(secret, page);
    if (arrival?.problem !== undefined) return { status: 403, code: "NOT_ALLOWED", message: arrival.problem };
    if (arrival && accounts.roleOf(arrival.account) !== null) return sessions.start(arrival.account, "oidc", address);
    const opened = sessions.open(secret, address);
    if (opened) return opened;
    this.#failures.set(source, [...(this.#failures.get(source) ?? []), this.#core.clock.now()]);
    noteTurnedAway(this.#core, address, "login", OLD_LINK);
    return OLD_LINK;
  }

  async #byPassword(
    { account: word, password, newPassword }: z.infer<typeof ByPassword>,
    { source, address }: From,
  ): Promise<Opened | Refused> {
    const { passwords, sessions, accounts } = this.#core;
    const checked = await passwords.check(word, password, source);
    if (checked.state === "wait") return tooMany(checked.waitMs);
    if (checked.state === "wrong") {
      noteTurnedAway(this.#core, address, "login", WRONG); // without the name: people type their password there
      return WRONG;
    }
    const { account, mustChange } = checked;
    if (newPassword === undefined) return mustChange ? CHOOSE : sessions.start(account, "password", address);
    if (newPassword === password) return CHOOSE;
    const version = passwords.versionOf(account);
    await passwords.set({
      account,
      password: newPassword,
      mustChange: false,
      actor: account,
      source,
      isStillWanted: () => passwords.versionOf(account) === version && accounts.roleOf(account) !== null,
    });
    sessions.endAll(account, account);
    return sessions.start(account, "password", address);
  }

  /** How long one may try no link: after so many failures, until the oldest of them is a minute old. */
  #waitMs(source: string): number {
    const now = this.#core.clock.now();
    const recent = (this.#failures.get(source) ?? []).filter((at) => at > now - WINDOW_MS);
    if (recent.length === 0) this.#failures.delete(source);
    else this.#failures.set(source, recent);
    return recent.length < MAX_FAILURES ? 0 : recent[0]! + WINDOW_MS - now;
  }

  /** Where the page shall go, and what it keeps meanwhile. */
  async #leave(origin: string, source: string): Promise<{ url: string; page: string }> {
    const { oidc } = this.#core;
    if (!oidc)
      throw new AgentError("NOT_FOUND", "This agent knows no identity provider (--oidc-issuer). Sign in another way.");
    return oidc.begin(origin, source);
  }

  /** The provider sends the browser back. Its page learns what came of it only with what it kept, so nobody can sign another one in. */
  async #arrive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const secret = await this.#core.oidc?.finish(request.url!.slice(request.url!.indexOf("?") + 1));
    if (secret === undefined) return refuse(response, NOT_BEGUN);
    response.writeHead(303, { location: `/#login=${secret}`, "cache-control": "no-store" }).end();
  }

  #refuse(response: ServerResponse, { retryAfter, ...refusal }: Refused): void {
    refuse(response, refusal, retryAfter === undefined ? {} : { "retry-after": String(retryAfter) });
  }
}

function tooMany(waitMs: number): Refused {
  const seconds = Math.ceil(waitMs / 1000);
  return {
    status: 429,
    code: "LIMIT",
    message: `Too many failed logins. Try again in ${seconds} s.`,
    retryAfter: seconds,
  };
}

const READ_ONLY: Refusal = { status: 405, code: "BAD_INPUT", message: "Providers send browsers here by GET." };
const BY_POST: Refusal = { status: 405, code: "BAD_INPUT", message: "Log in by POST." };
const NOT_OURS: Refusal = {
  status: 415,
  code: "BAD_INPUT",
  message: 'Log in with "content-type: application/json" and "x-lendbuf: 1".',
};
const NO_BODY: Refusal = {
  status: 400,
  code: "BAD_INPUT",
  message: `The body is {"secret": "…"} or {"account": "…", "password": "…"}, at most 4 KiB; a new password has ${PASSWORD_LENGTH.least} to ${PASSWORD_LENGTH.most} characters.`,
};
const OLD_LINK: Refusal = {
  status: 401,
  code: "UNAUTHORIZED",
  message: "This login link was used already, is too old, or never was. `lendbuf login` prints a new one.",
};
const WRONG: Refusal = {
  status: 401,
  code: "UNAUTHORIZED",
  message: "This name and this password do not belong together. `lendbuf login` prints a link that needs neither.",
};
const CHOOSE: Refusal = {
  status: 403,
  code: "NEW_PASSWORD",
  message: "Somebody else chose this password. Choose another one now, which nobody else knows.",
};
const NOT_BEGUN: Refusal = {
  status: 400,
  code: "UNAUTHORIZED",
  message: "This sign-in was not begun here, took too long, or is over already. Open the dashboard and begin anew.",
};

/** Undefined where it is too long, no JSON, or did not come. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  try {
    // Not destroyed at the end, or the answer could not be sent.
    for await (const chunk of request.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
      text += chunk;
      if (text.length > MAX_BODY) return undefined;
    }
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
