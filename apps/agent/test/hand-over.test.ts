import { chmodSync, chownSync, rmSync } from "node:fs";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { type AgentProcess, ordinaryUser, startAgent, temporaryFolder } from "./harness.ts";

const HOUR_MS = 3_600_000;
const { uid: agentUid = process.getuid!() } = ordinaryUser();
const [GIVER, TAKER] = [4321, 4322];

describe.skipIf(ordinaryUser().uid === undefined)("a lease that is handed over (run as root to see it)", () => {
  let folder: string;
  let agent: AgentProcess;
  let giver: ClientProcess;
  let taker: ClientProcess;
  let operator: ClientProcess;

  beforeAll(async () => {
    folder = temporaryFolder();
    chmodSync(folder, 0o711);
    chownSync(folder, agentUid, agentUid);
    await begin();
  });
  afterEach(() => operator.must("delegations.revokeAll"));
  afterAll(async () => {
    await end();
    await agent.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function begin(): Promise<void> {
    agent = await startAgent({ uid: agentUid, state: `${folder}/state`, socket: `${folder}/agent.sock` });
    const connect = (uid: number) => startClient(agent.socket, { uid, gid: agentUid });
    [giver, taker, operator] = [await connect(GIVER), await connect(TAKER), await connect(agentUid)];
  }

  async function end(): Promise<void> {
    for (const one of [giver, taker, operator]) await one.stop();
  }

  const borrow = async (more: object = {}) => {
    const { result, fd } = await giver.must("delegations.borrow", { buffer: "sim0/ch0", leaseMs: HOUR_MS, ...more });
    return { lent: result.delegation as Delegation, fd };
  };
  const handOver = (id: number, to = TAKER) => giver.ask("delegations.handOver", { id, account: `uid:${to}` });

  it("is taken from the one, proven, and offered to the other before anybody in line", async () => {
    const { lent, fd } = await borrow();
    const { result: inLine } = await giver.must("delegations.request", { buffer: "sim0/ch0", wait: true });

    const { result: heir } = await handOver(lent.id);

    expect(heir).toMatchObject({
      state: "offered",
      account: `uid:${TAKER}`,
      requestedBy: `uid:${GIVER}`,
      renews: lent.id,
    });
    expect(await giver.tell(`read ${fd}`)).toBe("EFAULT");
    const { result: given } = await giver.must("delegations.get", { id: lent.id });
    expect(given).toMatchObject({ state: "revoked", reason: "handed-over", proof: { method: "ftruncate" } });
    expect((await giver.must("delegations.get", { id: inLine.id })).result.state).toBe("waiting");
    const claimed = await taker.must("delegations.claim", { id: heir.id });
    expect(Math.abs(claimed.result.delegation.expiresAt - lent.expiresAt!)).toBeLessThan(100);
    expect(await taker.tell(`read ${claimed.fd}`)).toBe("ok");
  });

  it("is not the giver's to claim, and goes to who is next where the other does not", async () => {
    const { lent } = await borrow();
    const { result: next } = await giver.must("delegations.request", { buffer: "sim0/ch0", wait: true });
    const { result: heir } = await giver.must("delegations.handOver", {
      id: lent.id,
      account: `uid:${TAKER}`,
      offerMs: 200,
    });

    expect((await giver.ask("delegations.claim", { id: heir.id })).error!.data.code).toBe("NOT_YOURS");
    const observer = await agent.connect();
    for await (const { state, reason } of observer.subscribe("delegations.follow", { id: heir.id }))
      if (state === "cancelled") expect(reason).toBe("lapsed");
    expect((await giver.must("delegations.get", { id: next.id })).result.state).toBe("offered");
  });

  it("is refused to its own account, by who does not have it, before a claim and after its end", async () => {
    const { lent } = await borrow();
    const code = async (reply: ReturnType<typeof handOver>) => (await reply).error?.data.code;

    expect(await code(handOver(lent.id, GIVER))).toBe("BAD_INPUT");
    expect(await code(taker.ask("delegations.handOver", { id: lent.id, account: `uid:${TAKER}` }))).toBe("NOT_YOURS");
    const { result: offered } = await giver.must("delegations.request", { buffer: "sim0/ch1" });
    expect(await code(handOver(offered.id))).toBe("NOT_READY");
    await giver.must("delegations.release", { id: lent.id });
    expect(await code(handOver(lent.id))).toBe("ENDED");
  });

  it("is in line in the store before the other is ended: a crash in between loses nothing", async () => {
    const { lent } = await borrow();
    const [warden] = agent.wardens;
    process.kill(warden!, "SIGSTOP"); // so that the end is not proven
    const answer = giver.ask("delegations.handOver", { id: lent.id, account: `uid:${TAKER}` }).catch(() => undefined);
    const observer = await agent.connect();
    for await (const { items } of observer.subscribe("delegations.watch"))
      if (items.some(({ renews, state }) => renews === lent.id && state === "waiting")) break;
    await agent.crash();
    process.kill(warden!, "SIGCONT");
    await answer;
    await end();

    await begin();

    const { result } = await operator.must("delegations.list", { all: true });
    const heir = (result.items as Delegation[]).find(({ renews }) => renews === lent.id)!;
    expect(heir).toMatchObject({ state: "offered", account: `uid:${TAKER}` });
    expect((await taker.must("delegations.claim", { id: heir.id })).result.delegation.state).toBe("active");
    expect((await operator.must("audit.verify")).result.ok).toBe(true);
  });
});
