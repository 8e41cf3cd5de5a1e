import type { Claimed, Method } from "@lendbuf/shared/api";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import { mayTouch, PERMISSIONS } from "@lendbuf/shared/permissions";
import { sees, seesAll } from "../accounts/permission.ts";
import { Signal } from "../clock/signal.ts";
import type { Context, FdReply } from "../context.ts";
import type { Caller, Core } from "../core.ts";
import { resume } from "../delegations/absence.ts";
import { borrow, claim } from "../delegations/claim.ts";
import { extend } from "../delegations/extend.ts";
import { handOver } from "../delegations/hand-over.ts";
import { type Live, viewOf, viewOfRecord } from "../delegations/live.ts";
import { request } from "../delegations/request.ts";
import { sync } from "../delegations/sync.ts";
import { holdersOf } from "../holders/holders-of.ts";
import { mayRevokeBy } from "../policy/decide.ts";
import { blastRadius, idsOf } from "../revocation/blast-radius.ts";
import { end, ended } from "../revocation/end.ts";
import { panic } from "../revocation/panic.ts";
import { announce } from "../revocation/triggers.ts";
import { listDelegations } from "./history.ts";
import { paged } from "./page.ts";
import { states } from "./states.ts";
import { fdReplyOf, input, type Output, router, subscription } from "./trpc.ts";

export const delegationsRouter = router({
  list: input("delegations.list").query(({ ctx, input: { limit, ...query } }): Output<"delegations.list"> => {
    const { core, caller } = ctx;
    const account = seesAll(core, caller) ? query.account : caller.account;
    if (query.account !== undefined && query.account !== account) return { items: [], next: null, total: 0 };
    const { found, total } = listDelegations(core, { ...query, account });
    return paged(
      ctx,
      found,
      limit,
      total,
      (delegation) => delegation,
      ({ id }) => id,
    );
  }),
  get: input("delegations.get").query(
    ({ ctx: { core, caller }, input }): Output<"delegations.get"> => visible(core, caller, input.id),
  ),

  /** For people to look at; nothing is decided by it. */
  holders: input("delegations.holders").query(
    ({ ctx: { core, caller }, input: { id } }): Promise<Output<"delegations.holders">> => {
      touchable(core, caller, "delegations.holders", id);
      return holdersOf(core, id);
    },
  ),

  watch: subscription("delegations.watch").subscription(({ ctx, input: { buffer, limit } }) =>
    states(ctx, ctx.core.ledger.changed, (): Output<"delegations.watch"> => {
      const account = seesAll(ctx.core, ctx.caller) ? undefined : ctx.caller.account;
      const { found, total } = listDelegations(ctx.core, { buffer, account, all: false });
      const { items } = shown(ctx.replyBytes * 0.7, found, limit);
      return { items, total, recent: shown(ctx.replyBytes * 0.3, recentOf(ctx.core, buffer, account), limit).items };
    }),
  ),
  /** Each state that it comes to, until its end. */
  follow: subscription("delegations.follow").subscription(async function* ({
    ctx,
    input: { id },
  }): AsyncGenerator<Output<"delegations.follow">> {
    const { core, caller } = ctx;
    visible(core, caller, id);
    const live = core.ledger.live.get(id);
    const changed = live ? (live.changed ??= new Signal()) : new Signal();
    for await (const delegation of states(ctx, changed, () => core.ledger.view(id))) {
      yield delegation;
      if (isFinal(delegation.state) && !delegation.unrecorded) return;
    }
  }),

  request: input("delegations.request").mutation(
    ({ ctx: { core, caller }, input }): Output<"delegations.request"> => viewOf(request(core, caller, input)),
  ),
  claim: input("delegations.claim").mutation(async ({ ctx, input }): Promise<Output<"delegations.claim">> => {
    const reply = fdReplyOf(ctx);
    const { live, fd } = await claim(ctx.core, ctx.caller, reply.claimant, input.id);
    return handFd(ctx.core, reply, live, fd);
  }),
  borrow: input("delegations.borrow").mutation(async ({ ctx, input }): Promise<Output<"delegations.borrow">> => {
    const reply = fdReplyOf(ctx);
    const { live, fd } = await borrow(ctx.core, ctx.caller, reply.claimant, input, () => ctx.signal);
    return handFd(ctx.core, reply, live, fd);
  }),
  resume: input("delegations.resume").mutation(({ ctx, input: { id } }): Output<"delegations.resume"> => {
    const { claimant } = fdReplyOf(ctx);
    return viewOf(resume(ctx.core, ctx.caller, claimant, id));
  }),
  extend: input("delegations.extend").mutation(({ ctx: { core, caller }, input }): Output<"delegations.extend"> => {
    const live = own(core, caller, "delegations.extend", input.id);
    extend(core, caller, live, input);
    return viewOf(live);
  }),
  sync: input("delegations.sync").mutation(
    ({ ctx: { core, caller }, input: { id, ...part } }): Promise<Output<"delegations.sync">> => {
      return sync(own(core, caller, "delegations.sync", id), part);
    },
  ),
  handOver: input("delegations.handOver").mutation(
    async ({ ctx: { core, caller }, input }): Promise<Output<"delegations.handOver">> => {
      const { id, account, offerMs = core.config.offerMs } = input;
      const live = own(core, caller, "delegations.handOver", id);
      const heir = handOver(core, caller, live, core.accounts.meant(account), offerMs);
      await ended(core, [live], core.config.confirmMs);
      return viewOf(heir);
    },
  ),
  release: input("delegations.release").mutation(
    async ({ ctx: { core, caller }, input }): Promise<Output<"delegations.release">> => {
      const live = endable(core, caller, "delegations.release", input.id);
      if (!live) return core.ledger.view(input.id);
      await endNow(core, [live], caller, "give back");
      return viewOf(live);
    },
  ),
  revoke: input("delegations.revoke").mutation(
    async ({ ctx, input: { ids, noticeMs, deviceWide } }): Promise<Output<"delegations.revoke">> => {
      const { core, caller } = ctx;
      const lives = new Map(ids.map((id) => [id, endable(core, caller, "delegations.revoke", id)]));
      const now: Live[] = [];
      for (const live of lives.values()) {
        if (live && noticeMs > 0 && live.record.state === "active")
          announce(core, live, noticeMs, isByForce(live, caller) ? "operator" : "released", caller.actor);
        else if (live) now.push(live);
      }
      endCollateral(ctx, now, deviceWide);
      await endNow(core, now, caller, "revoke");
      return ids.map((id) => {
        const live = lives.get(id);
        return live ? viewOf(live) : core.ledger.view(id);
      });
    },
  ),
  revokeAll: input("delegations.revokeAll").mutation(
    async ({ ctx, input }): Promise<Output<"delegations.revokeAll">> => {
      return panic(ctx.core, input, ctx.caller.actor);
    },
  ),
});

function handFd(core: Core, reply: FdReply, live: Live, fd: () => number): Claimed {
  reply.attachFd(fd, () => end(core, [live], "export-failed", "agent"));
  const { adoptMs } = core.config;
  // Another agent has so long to come, and then its clients have.
  const resumeMs = adoptMs > 0 ? 2 * adoptMs : null;
  return { delegation: viewOf(live), fds: ["export"], size: live.record.size, resumeMs };
}

function shown(replyBytes: number, found: Iterable<Delegation>, limit: number) {
  return paged(
    { replyBytes },
    found,
    limit,
    0,
    (delegation) => delegation,
    ({ id }) => id,
  );
}

function recentOf(core: Core, buffer: string | undefined, account: string | undefined): Delegation[] {
  return core.ledger.recent
    .filter(
      (record) =>
        (buffer === undefined || record.buffer === buffer) && (account === undefined || record.account === account),
    )
    .map(viewOfRecord);
}

/** @throws AgentError NOT_FOUND, NOT_YOURS */
function visible(core: Core, caller: Caller, id: number): Delegation {
  const delegation = core.ledger.view(id);
  if (sees(core, caller, delegation.account)) return delegation;
  throw new AgentError("NOT_YOURS", `Delegation ${id} belongs to another account; you are ${caller.account}.`);
}

/** @throws AgentError NOT_FOUND, NOT_YOURS */
function touchable(core: Core, caller: Caller, method: Method, id: number): Delegation {
  if (method === "delegations.revoke") {
    const wanted = core.ledger.view(id);
    if (mayRevokeBy(core, caller.account, wanted)) return wanted;
  }
  const delegation = visible(core, caller, id);
  const { account } = delegation;
  if (mayTouch(caller, method, account)) return delegation;
  const { others } = PERMISSIONS[method];
  const who = others ? `its account and the role ${others}` : "its account";
  throw new AgentError(
    "NOT_YOURS",
    `Delegation ${id} belongs to ${account}; you are ${caller.account}. ${method} is for ${who} only.`,
  );
}

/** @throws AgentError NOT_FOUND, NOT_YOURS, ENDED */
function own(core: Core, caller: Caller, method: Method, id: number): Live {
  const { state, reason } = touchable(core, caller, method, id);
  const live = core.ledger.live.get(id);
  if (live && !isFinal(state)) return live;
  throw new AgentError(
    "ENDED",
    `Delegation ${id} has ended (${state}, ${reason}); ${method} can do nothing with it. Ask for a new one.`,
  );
}

/** The delegation, if the caller may end it; undefined where it has ended already, which is no error. */
function endable(core: Core, caller: Caller, method: Method, id: number): Live | undefined {
  touchable(core, caller, method, id);
  const live = core.ledger.live.get(id);
  return live && !isFinal(live.record.state) ? live : undefined;
}

/** Where a revoke takes a whole device, whoever else has it is named first, and ends only if the caller says so. @throws AgentError BLAST_RADIUS */
function endCollateral(ctx: Context, lives: readonly Live[], deviceWide: boolean): void {
  const { core, caller } = ctx;
  const others = blastRadius(core, lives);
  if (others.length === 0 || !caller.isOperator) return; // what others give back waits for its turn
  if (!deviceWide)
    throw new AgentError(
      "BLAST_RADIUS",
      `On this kernel only the whole of ${others[0]!.record.device} can be taken back, which would also end delegations ${idsOf(others)}. Nothing was ended. Confirm with deviceWide (lendbuf revoke --device-wide); each client that is still there is offered a fresh export at once.`,
    );
  end(core, others, "collateral", caller.actor);
}

/** An operator ends by force whatever they end, others what is not their own, as a rule lets them. */
function isByForce({ record }: Live, { isOperator, account }: Caller): boolean {
  return isOperator || record.account !== account;
}

/** What is not revoked by force its own account gives back. */
async function endNow(core: Core, lives: readonly Live[], caller: Caller, how: "revoke" | "give back"): Promise<void> {
  const isActive = ({ record }: Live) => record.state === "active";
  const byForce = how === "revoke" ? lives.filter((live) => isByForce(live, caller)) : [];
  const others = lives.filter((live) => !byForce.includes(live));
  end(core, byForce.filter(isActive), "operator", caller.actor);
  end(core, others.filter(isActive), "released", caller.actor);
  end(
    core,
    byForce.filter((live) => !isActive(live)),
    "operator",
    caller.actor,
  );
  end(
    core,
    others.filter((live) => !isActive(live)),
    "withdrawn",
    caller.actor,
  );
  await ended(core, lives, core.config.confirmMs);
}
