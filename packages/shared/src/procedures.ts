// What kind each procedure is, without the schemas: for clients that need not check inputs themselves.
import type { Method, Subscription } from "./api.ts";

/** A `query` only reads, so that it may be a GET; a `mutation` may change something; a `subscription` goes on. */
export type Kind<M extends Method> = M extends Subscription ? "subscription" : "query" | "mutation";

export const PROCEDURES: { readonly [M in Method]: Kind<M> } = {
  "status.get": "query",
  "status.watch": "subscription",
  "devices.list": "query",
  "devices.suspend": "mutation",
  "devices.resume": "mutation",
  "devices.drain": "mutation",
  "devices.undrain": "mutation",
  "host.doctor": "query",
  "host.dmabufs": "query",
  "buffers.list": "query",
  "buffers.get": "query",
  "buffers.define": "mutation",
  "buffers.remove": "mutation",
  "buffers.lift": "mutation",
  "buffers.watch": "subscription",
  "buffers.read": "query",
  "buffers.peek": "mutation",
  "buffers.poke": "mutation",
  "delegations.list": "query",
  "delegations.get": "query",
  "delegations.watch": "subscription",
  "delegations.follow": "subscription",
  "delegations.request": "mutation",
  "delegations.claim": "mutation",
  "delegations.borrow": "mutation",
  "delegations.resume": "mutation",
  "delegations.extend": "mutation",
  "delegations.sync": "mutation",
  "delegations.handOver": "mutation",
  "delegations.release": "mutation",
  "delegations.revoke": "mutation",
  "delegations.revokeAll": "mutation",
  "delegations.holders": "query",
  "reservations.list": "query",
  "reservations.watch": "subscription",
  "reservations.create": "mutation",
  "reservations.cancel": "mutation",
  "audit.list": "query",
  "audit.watch": "subscription",
  "audit.who": "query",
  "audit.export": "subscription",
  "audit.head": "query",
  "audit.verify": "query",
  "sessions.me": "query",
  "sessions.createLink": "mutation",
  "sessions.list": "query",
  "sessions.end": "mutation",
  "tokens.create": "mutation",
  "tokens.list": "query",
  "tokens.remove": "mutation",
  "accounts.list": "query",
  "accounts.create": "mutation",
  "accounts.update": "mutation",
  "accounts.remove": "mutation",
  "accounts.setPassword": "mutation",
  "policy.list": "query",
  "policy.define": "mutation",
  "policy.remove": "mutation",
  "policy.explain": "query",
  "config.reload": "mutation",
};

export function isMethod(text: string): text is Method {
  return Object.hasOwn(PROCEDURES, text);
}

/** The methods whose reply carries fds. */
export const FD_METHODS: readonly Method[] = ["delegations.claim", "delegations.borrow"];

/** Subscriptions that send events, each of them once; the others send states, of which the latest counts. */
export const EVENTS: readonly Method[] = ["audit.watch", "audit.export"];
