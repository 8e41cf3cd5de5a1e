// SIGKILL of the agent, of the warden, of the client, or of agent and warden at once, at every step of a delegation's life. Afterwards the
// books are held against what real processes can reach: never a false "revoked", never a delegation lost that somebody was told of.
import { readdirSync, readlinkSync, rmSync } from "node:fs";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { AgentProcess, isRunning, startAgent, temporaryFolder, until } from "./harness.ts";
import type { Readers } from "./readers.ts";

const SIZE = 64 * 1024;
const BUFFER = "lend";

const VICTIMS = ["agent", "warden", "client", "agent and warden"] as const;
type Victim = (typeof VICTIMS)[number];

/** One agent after the other on the same state, with those who wait and have an offer there all the while. */
class Stage {
  agent: AgentProcess;
  operator!: ClientProcess;
  /** [id, what the books must say of it] */
  readonly bystanders: [number, string][] = [];

  readonly #folder: string;

  constructor(folder: string, agent: AgentProcess) {
    this.#folder = folder;
    this.agent = agent;
  }

  static async open(): Promise<Stage> {
    const folder = temporaryFolder();
    const stage = new Stage(folder, await startAgent({ state: `${folder}/state`, socket: `${folder}/agent.sock` }));
    stage.operator = await startClient(stage.agent.socket);
    const at = { name: BUFFER, device: "sim0", region: 2, ranges: [{ offset: 4 << 20, length: SIZE }] };
    await stage.operator.must("buffers.define", at);
    const wish = { buffer: "sim0/regs", offerMs: 86_400_000, wait: true };
    for (const expected of ["offered", "waiting at 1", "waiting at 2"]) {
      const { result } = await stage.operator.must("delegations.request", wish);
      stage.bystanders.push([result.id, expected]);
    }
    return stage;
  }

  /** The next agent, which may not be ready yet. */
  begin(): void {
    const { state, socket } = this.agent;
    this.agent = new AgentProcess({ state, socket });
  }

  async ready(): Promise<void> {
    await this.agent.ready();
    await this.operator.stop();
    this.operator = await startClient(this.agent.socket);
  }

  async restart(): Promise<void> {
    this.begin();
    await this.ready();
  }

  async look(id: number): Promise<string> {
    return describeState((await this.operator.must("delegations.get", { id })).result);
  }

  async close(): Promise<void> {
    await this.operator.stop();
    await this.agent.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function describeState({ state, reason, position, revocation }: Delegation): string {
  return [state, reason, revocation?.unproven && "unproven", position && `at ${position}`].filter(Boolean).join(" ");
}

/** One delegation on the stage. */
class Scene {
  readonly stage: Stage;
  client: ClientProcess;
  readonly clients: ClientProcess[];
  /** The one that has the export. */
  warden: number;
  id = 0;
  /** The agent ends by itself. */
  isEnding = false;
  readers: Readers | undefined;
  /** A claim or borrow was sent, and its answer not read. */
  isUnread = false;
  #fd = -1;
  #stopped = new Set<number>();

  constructor(stage: Stage, client: ClientProcess) {
    this.stage = stage;
    this.client = client;
    this.clients = [client];
    this.warden = stage.agent.wardens[0]!;
  }

  get operator(): ClientProcess {
    return this.stage.operator;
  }

  async newClient(): Promise<ClientProcess> {
    this.client = await startClient(this.stage.agent.socket);
    this.clients.push(this.client);
    return this.client;
  }

  async request(more: object = {}): Promise<void> {
    this.id = (
      await this.client.must("delegations.request", { buffer: BUFFER, offerMs: 86_400_000, ...more })
    ).result.id;
  }

  /** Claims it, and gives it to processes that read. */
  async hold(more: object = {}): Promise<void> {
    const { delegation, fd } = await this.client.borrow({ buffer: BUFFER, ...more });
    this.id = delegation.id;
    this.readers = await this.client.lend(fd, { size: SIZE, mode: "guarded", writes: true, paced: true });
  }

  async begin(method: string, params: object): Promise<void> {
    this.isUnread = method === "delegations.claim" || method === "delegations.borrow";
    await this.client.begin(method, params);
  }

  stop(pid: number): void {
    process.kill(pid, "SIGSTOP");
    this.#stopped.add(pid);
  }

  resume(pid: number): void {
    if (this.#stopped.delete(pid) && isRunning(pid)) process.kill(pid, "SIGCONT");
  }

  resumeAll(): void {
    for (const pid of this.#stopped) this.resume(pid);
  }

  /** Resolves when the books say so of the delegation on the buffer, whose id may not be known yet. */
  async booked(state: string): Promise<void> {
    await until(async () => {
      const { result } = await this.operator.must("delegations.list", { buffer: BUFFER, states: [state] });
      const [newest] = result.items;
      if (newest) this.id ||= newest.id;
      return newest?.id === this.id;
    }, `it is ${state}`);
  }

  async kill(victim: Victim): Promise<void> {
    const { agent } = this.stage;
    if (victim === "agent and warden") {
      process.kill(agent.pid, "SIGSTOP"); // so that it does not see its warden die
      await killAndWait(this.warden);
      await agent.crash();
    } else if (victim === "agent") await agent.crash();
    else if (victim === "warden") await killAndWait(this.warden);
    else await this.client.kill();
  }

  /** Whether anybody can reach the memory: the readers, or the client through what it had not read yet. */
  async isReachable(): Promise<boolean> {
    if (this.readers) return this.readers.canRead();
    if (!isRunning(this.client.pid)) return false;
    if (this.isUnread)
      this.#fd = await this.client.receive().then(
        ({ fd }) => fd,
        () => -1,
      );
    this.isUnread = false;
    return this.#fd >= 0 && (await this.client.inspect(this.#fd)) !== "size 0, read 0, mapping EFAULT";
  }

  async close(): Promise<void> {
    this.resumeAll();
    for (const client of this.clients) await client.stop();
  }
}

async function killAndWait(pid: number): Promise<void> {
  if (isRunning(pid)) process.kill(pid, "SIGKILL");
  await until(() => !isRunning(pid), "it is gone");
}

function memfdsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("/memfd:lendbuf");
    } catch {
      return false;
    }
  }).length;
}

const RESTART = "revoked agent-restart";
const LOST = "revoked device-lost";
const UNPROVEN = "revoking agent-restart unproven";

interface Step {
  /** Brings it there; what is stopped on the way goes on after the kill. */
  reach(scene: Scene): Promise<void>;
  /** What the books may say in the end, after the death of each. */
  books: Record<Victim, string[]>;
}

const same = (...states: string[]): Step["books"] => ({
  agent: states,
  warden: states,
  client: states,
  "agent and warden": states,
});

/** Of one that has an export which nothing but these deaths ends. */
const EXPORTED: Step["books"] = {
  agent: [RESTART],
  warden: [LOST],
  client: ["revoked disconnected"],
  "agent and warden": [UNPROVEN],
};

async function occupy({ operator }: Scene): Promise<void> {
  await operator.must("delegations.request", { buffer: BUFFER, offerMs: 86_400_000 });
}

/** Each way to the fd: take up an offer, or borrow at once. */
const TAKES: Record<string, (scene: Scene) => Promise<void>> = {
  async claim(scene) {
    await scene.request();
    await scene.begin("delegations.claim", { id: scene.id });
  },
  async borrow(scene) {
    await scene.begin("delegations.borrow", { buffer: BUFFER });
  },
};

function taking(name: string): Record<string, Step> {
  const take = TAKES[name]!;
  return {
    [`in a ${name} that is recorded and not exported yet`]: {
      async reach(scene) {
        scene.stop(scene.warden);
        await take(scene);
        await scene.booked("active");
      },
      books: { ...EXPORTED, warden: [LOST, "revoked export-failed"] },
    },
    [`in a ${name} that is exported and not answered yet`]: {
      async reach(scene) {
        await until(() => memfdsOf(scene.warden) === 0, "the warden has dropped what was revoked before");
        scene.stop(scene.warden);
        await take(scene);
        await scene.booked("active");
        scene.stop(scene.stage.agent.pid);
        scene.resume(scene.warden);
        await until(() => memfdsOf(scene.warden) > 0, "the warden has made the export");
      },
      books: { ...EXPORTED, warden: [LOST, "revoked export-failed"] },
    },
    [`after a ${name} whose answer nobody has read`]: {
      async reach(scene) {
        await take(scene);
        await scene.client.arrived();
        await scene.booked("active");
      },
      books: EXPORTED,
    },
  };
}

const STEPS: Record<string, Step> = {
  "waiting in line": {
    async reach(scene) {
      await occupy(scene);
      await scene.request({ wait: true });
    },
    books: same("waiting at 1"),
  },
  "waiting in line with a borrow under way": {
    async reach(scene) {
      await occupy(scene);
      await scene.begin("delegations.borrow", { buffer: BUFFER, wait: true });
      await scene.booked("waiting");
    },
    books: { ...same("waiting at 1"), client: ["cancelled disconnected"] },
  },
  offered: {
    reach: (scene) => scene.request(),
    books: same("offered"),
  },
  "in a claim that the agent has not read": {
    async reach(scene) {
      await scene.request();
      scene.stop(scene.stage.agent.pid);
      await scene.begin("delegations.claim", { id: scene.id });
    },
    books: {
      agent: ["offered"],
      warden: ["offered", LOST, "revoked export-failed"],
      client: ["offered", "revoked disconnected"],
      "agent and warden": ["offered"],
    },
  },
  ...taking("claim"),
  ...taking("borrow"),
  "held by processes that read": {
    reach: (scene) => scene.hold(),
    books: EXPORTED,
  },
  "held and to be kept": {
    reach: (scene) => scene.hold({ keep: true }),
    books: { ...EXPORTED, client: ["active"] },
  },
  "kept without a client": {
    async reach(scene) {
      await scene.hold({ keep: true });
      await scene.client.kill();
    },
    books: { ...EXPORTED, client: ["active"] },
  },
  "in another claim of a kept one, whose old export is not revoked yet": {
    async reach(scene) {
      await scene.hold({ keep: true });
      await scene.client.kill();
      scene.stop(scene.warden);
      await scene.newClient();
      await scene.begin("delegations.claim", { id: scene.id });
      await scene.client.must("status.get"); // behind the claim
    },
    books: { ...EXPORTED, client: ["active"] },
  },
  "in an extension that the agent has not read": {
    async reach(scene) {
      await scene.hold();
      scene.stop(scene.stage.agent.pid);
      await scene.begin("delegations.extend", { id: scene.id, byMs: 60_000 });
    },
    books: EXPORTED,
  },
  "after an extension whose answer nobody has read": {
    async reach(scene) {
      await scene.hold();
      await scene.begin("delegations.extend", { id: scene.id, byMs: 60_000 });
      await scene.client.arrived();
    },
    books: EXPORTED,
  },
  "in a revoke that is decided and not done": {
    async reach(scene) {
      await scene.hold();
      scene.stop(scene.warden);
      await (await startRevoker(scene)).begin("delegations.revoke", { ids: [scene.id] });
      await scene.booked("revoking");
    },
    books: {
      ...same("revoked operator"),
      agent: ["revoked operator", RESTART],
      "agent and warden": ["revoking operator unproven", UNPROVEN],
    },
  },
  "in a revoke that is decided, recorded and not done": {
    async reach(scene) {
      await scene.hold();
      scene.stop(scene.warden);
      await (await startRevoker(scene)).begin("delegations.revoke", { ids: [scene.id] });
      await until(async () => {
        const { result } = await scene.operator.must("audit.list", { delegation: scene.id });
        return result.items[0].action === "delegation.ending";
      }, "the decision is on disk");
    },
    books: { ...same("revoked operator"), "agent and warden": ["revoking operator unproven"] },
  },
  "after the answer to a revoke": {
    async reach(scene) {
      await scene.hold();
      await scene.operator.must("delegations.revoke", { ids: [scene.id] });
    },
    books: same("revoked operator"),
  },
  "while the agent shuts down": {
    async reach(scene) {
      await scene.hold();
      scene.stop(scene.warden);
      scene.isEnding = true;
      scene.stage.agent.kill("SIGTERM");
      await scene.booked("revoking");
    },
    books: { ...same(RESTART), "agent and warden": [UNPROVEN] },
  },
  "while the next agent starts its warden": {
    async reach(scene) {
      await scene.hold();
      await scene.stage.agent.crash();
      scene.stage.begin();
      await until(() => scene.stage.agent.wardens.length > 0, "it has started a warden");
      scene.warden = scene.stage.agent.wardens[0]!;
    },
    books: same(RESTART),
  },
  "while the next agent listens to the old warden": {
    async reach(scene) {
      await scene.hold();
      scene.stop(scene.warden);
      await scene.stage.agent.crash();
      await scene.stage.restart();
      expect(await scene.stage.look(scene.id)).toBe(UNPROVEN.replace(" unproven", ""));
    },
    books: { ...same(RESTART), warden: [UNPROVEN], "agent and warden": [UNPROVEN] },
  },
};

async function startRevoker(scene: Scene): Promise<ClientProcess> {
  const revoker = await startClient(scene.stage.agent.socket);
  scene.clients.push(revoker);
  return revoker;
}

let stage: Stage | undefined;
let scene: Scene | undefined;

afterEach(async ({ task }) => {
  await scene?.close();
  scene = undefined;
  if (task.result?.state !== "fail") return;
  await stage?.close();
  stage = undefined;
});

afterAll(() => stage?.close());

describe.each(Object.entries(STEPS))("%s", (_step, { reach, books }) => {
  it.each(VICTIMS)("SIGKILL of the %s leaves books that are true, and nothing lost", async (victim) => {
    stage ??= await Stage.open();
    scene = new Scene(stage, await startClient(stage.agent.socket));
    await reach(scene);

    await scene.kill(victim);

    await afterwards(scene);
    await expectTruth(scene, books[victim]);
    const settled = await stage.look(scene.id);
    if (settled === "active") await expectClaimable(scene);
    await stage.agent.crash();
    await stage.restart();
    await expectTruth(scene, [settled === "active" ? RESTART : settled]);
    for (const [id, expected] of stage.bystanders) expect(await stage.look(id)).toBe(expected);
    expect((await stage.operator.must("audit.verify")).result).toMatchObject({ ok: true });
    await expectLendable(scene);
  });
});

/** An agent that runs again, and everything that was stopped goes on; before that nothing false is said. */
async function afterwards(scene: Scene): Promise<void> {
  const { stage } = scene;
  scene.resume(stage.agent.pid);
  const isDead = !isRunning(stage.agent.pid);
  if (isDead) await stage.restart();
  else if (!scene.isEnding) await stage.ready();
  if (isDead || !scene.isEnding) await expectNoFalseRevoked(scene);
  scene.resumeAll();
  if (isDead || !scene.isEnding) return;
  await stage.agent.exited;
  await stage.restart();
}

async function expectNoFalseRevoked(scene: Scene): Promise<string> {
  const state = await scene.stage.look(scene.id);
  if (state.startsWith("revoked")) expect(await scene.isReachable(), `it is ${state} and can be read`).toBe(false);
  return state;
}

async function expectTruth(scene: Scene, allowed: string[]): Promise<void> {
  let state = "";
  const isSettled = async () => allowed.includes((state = await expectNoFalseRevoked(scene)));
  await until(isSettled, `it becomes ${allowed.join(" or ")}`).catch((cause) => {
    throw new Error(`it is ${state}`, { cause });
  });
}

/** A kept one, whose client has died, waits for its account. */
async function expectClaimable(scene: Scene): Promise<void> {
  const next = await scene.newClient();
  const { fd } = await next.must("delegations.claim", { id: scene.id });
  expect(await next.inspect(fd)).toBe(`size ${SIZE}, read 1, mapping ok`);
  expect(await scene.isReachable()).toBe(false); // through the export that was there before
}

/** The buffer serves again, whatever became of the delegation. */
async function expectLendable({ stage, id }: Scene): Promise<void> {
  const { result } = await stage.operator.must("delegations.list", {
    buffer: BUFFER,
    states: ["waiting", "offered", "active"],
  });
  const ids = result.items.map((item: Delegation) => item.id);
  if (ids.length > 0) await stage.operator.must("delegations.revoke", { ids });
  const next = await startClient(stage.agent.socket);
  const { delegation, fd } = await next.borrow({ buffer: BUFFER });
  expect(delegation.id).toBeGreaterThan(id);
  expect(await next.inspect(fd)).toBe(`size ${SIZE}, read 1, mapping ok`);
  await next.must("delegations.release", { id: delegation.id });
  await next.stop();
}
