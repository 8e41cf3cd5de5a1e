import type { IncomingMessage, ServerResponse } from "node:http";
import { AgentError } from "@lendbuf/shared/errors";
import { z } from "zod";
import { noteTurnedAway } from "../accounts/refused.ts";
import type { Core } from "../core.ts";
import { addressOf, cookieName } from "./credentials.ts";
import type { Refusal } from "./guard.ts";
import type { Place } from "./place.ts";
import { refuse, replyJson } from "./reply.ts";

const MAX_BODY = 4096;
const WINDOW_MS = 60_000;
const MAX_FAILURES = 10;

const Body = z.strictObject({ secret: z.string().min(1).max(200) });

/** Turns a login link's secret into a session. */
export class Login {
  readonly #core: Core;
  #failures: number[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  async answer(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
    // A header of our own, and JSON: neither can be sent across origins without asking us first, and we never agree.
    const isOurs = request.headers["x-lendbuf"] === "1" && request.headers["content-type"] === "application/json";
    if (request.method !== "POST")
      return refuse(response, { status: 405, code: "BAD_INPUT", message: "Log in by POST." }, { allow: "POST" });
    if (!isOurs)
      return refuse(response, {
        status: 415,
        code: "BAD_INPUT",
        message: 'Log in with "content-type: application/json" and "x-lendbuf: 1".',
      });
    const body = Body.safeParse(await readJson(request));
    // After the body: many could wait with theirs until all have passed.
    const waitMs = this.#waitMs();
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      return refuse(
        response,
        { status: 429, code: "LIMIT", message: `Too many failed logins. Try again in ${seconds} s.` },
        { "retry-after": String(seconds) },
      );
    }
    if (!body.success)
      return refuse(response, {
        status: 400,
        code: "BAD_INPUT",
        message: 'The body is {"secret": "…"}, at most 4 KiB.',
      });
    this.#open(body.data.secret, addressOf(request), response, place);
  }

  #open(secret: string, address: string, response: ServerResponse, place: Place): void {
    try {
      const opened = this.#core.sessions.open(secret, address);
      if (!opened) {
        this.#failures.push(this.#core.clock.now());
        noteTurnedAway(this.#core, address, "login", UNKNOWN_LINK);
        return refuse(response, UNKNOWN_LINK);
      }
      const maxAge = Math.floor((opened.expiresAt - Date.now()) / 1000);
      const secure = place.scheme === "https" ? "; Secure" : "";
      const cookie = `${cookieName(place)}=${opened.cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAge}${secure}`;
      replyJson(response, 200, { key: opened.key }, { "set-cookie": cookie });
    } catch (cause) {
      if (!(cause instanceof AgentError)) throw cause;
      refuse(response, { status: 503, code: cause.code, message: cause.message });
    }
  }

  /** How long nobody may try: after so many failures, until the oldest of them is a minute old. */
  #waitMs(): number {
    const now = this.#core.clock.now();
    this.#failures = this.#failures.filter((at) => at > now - WINDOW_MS);
    return this.#failures.length < MAX_FAILURES ? 0 : this.#failures[0]! + WINDOW_MS - now;
  }
}

const UNKNOWN_LINK: Refusal = {
  status: 401,
  code: "UNAUTHORIZED",
  message: "This login link was used already, is too old, or never was. `lendbuf login` prints a new one.",
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
