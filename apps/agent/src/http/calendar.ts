import type { IncomingMessage, ServerResponse } from "node:http";
import { isOccupying } from "@lendbuf/shared/delegation";
import { ROLE_OF_SCOPE } from "@lendbuf/shared/role";
import ical, { type ICalEventData } from "ical-generator";
import { callerOf } from "../accounts/caller.ts";
import { sees } from "../accounts/permission.ts";
import { latestEnd } from "../buffers/turns.ts";
import type { Caller, Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { unnamed } from "../reservations/record.ts";
import type { Refusal } from "./guard.ts";
import { refuse } from "./reply.ts";

/** More would not be read by anybody. */
const MAX_EVENTS = 2000;
const REFRESH_S = 300;

/** `/calendar.ics`: what is lent now and reserved ahead, as RFC 5545 has it. */
export function answerCalendar(core: Core, request: IncomingMessage, response: ServerResponse): void {
  const caller = callerOfCalendar(core, request);
  if (!caller) return refuse(response, UNAUTHORIZED);
  const calendar = ical({ name: `Lendbuf on ${core.config.host}`, prodId: "//lendbuf//lendbuf//EN", ttl: REFRESH_S });
  for (const event of eventsFor(core, caller).slice(0, MAX_EVENTS)) calendar.createEvent(event);
  const text = calendar.toString();
  response.writeHead(200, {
    "content-type": "text/calendar; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Calendars cannot send a header, so theirs is in the address; one that may do more must not be there, where logs and histories have it. */
function callerOfCalendar(core: Core, { url = "/", headers }: IncomingMessage): Caller | undefined {
  const inAddress = new URL(url, "http://localhost").searchParams.get("token");
  const token = core.tokens.ofHeader(inAddress === null ? headers.authorization : `Bearer ${inAddress}`);
  if (!token || (inAddress !== null && token.scope !== "calendar")) return undefined;
  const { id, account, scope, expiresAt } = token;
  const came = { door: "token", credential: id, expiresAt } as const;
  const caller = callerOf(core.accounts, account, () => `token:${id}`, came, { most: ROLE_OF_SCOPE[scope] });
  return caller.role === null ? undefined : caller;
}

function eventsFor(core: Core, caller: Caller): ICalEventData[] {
  const { host } = core.config;
  const reserved = core.reservations.inOrder().map((booking): ICalEventData => {
    const { id, buffer, account, from, to, purpose } = sees(core, caller, booking.account) ? booking : unnamed(booking);
    return {
      id: `reservation-${id}@${host}`,
      start: new Date(from),
      end: new Date(to),
      summary: `${buffer}, reserved ${account === null ? "by somebody else" : `for ${account}`}`,
      description: purpose,
    };
  });
  const lent = [...core.ledger.live.values()].flatMap(
    (live) => (sees(core, caller, live.record.account) ? eventOf(live, host) : undefined) ?? [],
  );
  const drained = core.drains.all().flatMap(([device, { reason, since, until }]): ICalEventData[] =>
    until === null
      ? []
      : [
          {
            id: `drain-${device}-${since}@${host}`,
            start: new Date(since),
            end: new Date(until),
            summary: `${device}, drained: ${reason}`,
          },
        ],
  );
  return [...reserved, ...drained, ...lent];
}

/** What has a time: an offer lasts until it lapses at the latest, and a lease that is claimed then. */
function eventOf({ record }: Live, host: string): ICalEventData | undefined {
  const { id, buffer, state, purpose, claimedAt, offeredAt } = record;
  const begin = claimedAt ?? offeredAt;
  const end = latestEnd(record);
  if (!isOccupying(state) || begin === null || end === null) return undefined;
  return {
    id: `delegation-${id}@${host}`,
    start: new Date(begin),
    end: new Date(end),
    summary: `${buffer}, ${state === "active" ? "lent to" : "offered to"} ${record.account}`,
    description: purpose,
  };
}

const UNAUTHORIZED: Refusal = {
  status: 401,
  code: "UNAUTHORIZED",
  message:
    "The calendar needs a token of its own in its address: `lendbuf token create NAME --scope calendar` prints it. Scripts may send any token as a header.",
};
