import type { Method, Output, Subscription } from "@lendbuf/shared/api";
import type { inferRouterInputs, inferRouterOutputs } from "@trpc/server";
import { accountsRouter } from "./accounts.ts";
import { auditRouter } from "./audit.ts";
import { buffersRouter } from "./buffers.ts";
import { configRouter } from "./config.ts";
import { delegationsRouter } from "./delegations.ts";
import { devicesRouter } from "./devices.ts";
import { hostRouter } from "./host.ts";
import { policyRouter } from "./policy.ts";
import { reservationsRouter } from "./reservations.ts";
import { sessionsRouter, tokensRouter } from "./sessions.ts";
import { statusRouter } from "./status.ts";
import { router } from "./trpc.ts";

/** Everything that the agent can be asked, whichever door it comes through. */
export const appRouter = router({
  status: statusRouter,
  devices: devicesRouter,
  buffers: buffersRouter,
  delegations: delegationsRouter,
  reservations: reservationsRouter,
  host: hostRouter,
  audit: auditRouter,
  sessions: sessionsRouter,
  tokens: tokensRouter,
  accounts: accountsRouter,
  policy: policyRouter,
  config: configRouter,
});

export type AppRouter = typeof appRouter;
export type RouterInputs = inferRouterInputs<AppRouter>;
export type RouterOutputs = inferRouterOutputs<AppRouter>;

/** The contract and the router name the same procedures with the same answers, or this does not compile. */
type Answer<M extends string, Of> = M extends `${infer Noun}.${infer Verb}`
  ? Noun extends keyof Of
    ? Verb extends keyof Of[Noun]
      ? Of[Noun][Verb]
      : never
    : never
  : never;
type Fits = { [M in Exclude<Method, Subscription>]: Answer<M, RouterOutputs> extends Output<M> ? true : M };
true satisfies Fits[keyof Fits];
