import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Door, type Line, type SignedIn } from "./door-client.ts";
import { type AgentProcess, memoryOf, openFiles, PROMPT_MS, startAgent, until } from "./harness.ts";
import { type Watch, watchAgent } from "./trace.ts";

const MIB = 2 ** 20;

let agent: AgentProcess;
let watch: Watch;
let door: Door;
let token: { authorization: string };
let page: SignedIn;

beforeAll(async () => {
  agent = await startAgent();
  watch = await watchAgent(agent);
  door = new Door(agent);
  token = (await door.newToken()).headers;
  page = await door.signIn();
});

afterAll(() => agent.stop());

afterEach(() => watch.expectNoTrace());

const head = (first: string, ...more: string[]) =>
  [`${first} HTTP/1.1`, `host: 127.0.0.1:${door.port}`, ...more, "", ""].join("\r\n");

/** Somebody who is signed in is answered; gives the milliseconds. */
async function checkOthers(): Promise<number> {
  const start = performance.now();
  expect((await door.call("status.get", {}, door.page(page))).status).toBe(200);
  return performance.now() - start;
}

describe("who sends slowly", () => {
  it("nothing, a header a second, or a body a byte a second: is cut in time, and holds nobody up", async () => {
    const start = performance.now();
    const silent = door.line();
    const headers = door.line();
    headers.socket.write(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${door.port}\r\n`);
    const login = door.line();
    login.socket.write(head("POST /login", "content-type: application/json", "x-lendbuf: 1", "content-length: 100"));
    const call = door.line();
    const credentials = `authorization: ${token.authorization}`;
    call.socket.write(
      head("POST /trpc/delegations.revokeAll", credentials, "content-type: application/json", "content-length: 100"),
    );
    const dribble = setInterval(() => {
      for (const { socket } of [headers, login, call]) if (socket.writable) socket.write("x");
    }, 500);
    const endOf = async ({ ended }: Line) => {
      const answer = await ended;
      return { answer: answer.split("\r\n")[0], seconds: (performance.now() - start) / 1000 };
    };
    const slowest: number[] = [];
    const others = setInterval(() => void checkOthers().then((ms) => slowest.push(ms)), 200);

    const ends = await Promise.all([silent, headers, login, call].map(endOf));
    clearInterval(dribble);
    clearInterval(others);

    console.log(`cut after ${ends.map(({ seconds }) => `${seconds.toFixed(1)} s`).join(", ")}`);
    for (const { seconds } of ends.slice(0, 2)) expect(seconds).toBeLessThan(15);
    for (const { seconds } of ends) expect(seconds).toBeLessThan(25);
    expect(ends[1]!.answer).toBe("HTTP/1.1 408 Request Timeout");
    expect(Math.max(...slowest)).toBeLessThan(PROMPT_MS);
  });

  it("a thousand of them do not keep the unix socket and open WebSockets from going on", async () => {
    const socket = await door.pageSocket(page);
    await socket.ask("query", "sessions.me");
    const lines = Array.from({ length: 1200 }, () => door.line());
    for (const line of lines) line.socket.write("GET / HTTP/1.1\r\n");

    for (let i = 0; i < 10; i++) {
      expect(await watch.bystander.check()).toBeLessThan(PROMPT_MS);
      expect((await socket.ask("query", "sessions.me")).result.data).toBeTruthy();
    }
    for (const line of lines) line.socket.destroy();
    await Promise.all(lines.map(({ ended }) => ended));

    expect(await checkOthers()).toBeLessThan(PROMPT_MS);
    socket.close();
  });

  it("1,200 refused upgrades whose clients never close leave room for others", async () => {
    const lines = Array.from({ length: 1200 }, () => door.line());
    for (const line of lines) line.socket.write(head("GET /", "upgrade: websocket", "connection: upgrade"));

    await until(() => lines.every(({ socket }) => socket.readableEnded || socket.destroyed), "all were answered");

    expect(await checkOthers()).toBeLessThan(PROMPT_MS);
    for (const { socket } of lines) socket.destroy();
  });
});

describe("a body of 100 MB", () => {
  const chunk = Buffer.alloc(MIB, "a");

  /** Sends until it is told to stop, or all is sent. */
  async function flood(request: string, isChunked: boolean): Promise<{ answer: string; sent: number }> {
    const line = door.line();
    line.socket.write(request);
    let sent = 0;
    while (sent < 100 && !line.socket.destroyed && line.socket.writable) {
      if (isChunked) line.socket.write(`${chunk.length.toString(16)}\r\n`);
      const flushed = line.socket.write(chunk);
      if (isChunked) line.socket.write("\r\n");
      sent++;
      if (!flushed) await Promise.race([new Promise((resolve) => line.socket.once("drain", resolve)), line.ended]);
    }
    return { answer: (await line.ended).split("\r\n")[0]!, sent };
  }

  it.each([
    ["of a call, without credentials", "POST /trpc/delegations.request", () => []],
    ["of a call", "POST /trpc/delegations.request", () => [`authorization: ${token.authorization}`]],
    ["of a login", "POST /login", () => ["x-lendbuf: 1"]],
    ["of a page", "GET /", () => []],
    ["of /healthz", "GET /healthz", () => []],
    ["of nothing", "POST /nothing", () => []],
  ])("%s is cut off early, with a length and in pieces, and fills no memory", async (_, first, more) => {
    const before = memoryOf(agent.pid);
    for (const length of ["content-length: 104857600", "transfer-encoding: chunked"]) {
      const { sent } = await flood(
        head(first, "content-type: application/json", length, ...more()),
        length.startsWith("t"),
      );

      expect([length, sent < 30]).toEqual([length, true]); // the kernel's buffers have some
    }

    expect(memoryOf(agent.pid) - before).toBeLessThan(30 * MIB);
    expect(await checkOthers()).toBeLessThan(PROMPT_MS);
  });

  it("the call's sender is told: 413", async () => {
    const answer = await door.send(
      head(
        "POST /trpc/x",
        `authorization: ${token.authorization}`,
        "content-type: application/json",
        "content-length: 104857600",
      ),
    );

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe("ten thousand sockets", () => {
  it("cost the agent neither its memory nor its clients, and leave nothing behind", async () => {
    const socket = await door.pageSocket(page);
    await socket.ask("query", "sessions.me");
    const before = { memory: memoryOf(agent.pid), files: openFiles(agent.pid) };
    let most = 0;
    const latencies: number[] = [];
    for (let batch = 0; batch < 5; batch++) {
      const lines = Array.from({ length: 2000 }, () => door.line());
      await Promise.all(
        lines.map(
          (line) =>
            new Promise((resolve) => {
              line.socket.once("connect", resolve).once("close", resolve);
            }),
        ),
      );
      most = Math.max(most, openFiles(agent.pid));
      latencies.push(await watch.bystander.check());
      expect((await socket.ask("query", "sessions.me")).result.data).toBeTruthy();
      for (const line of lines) line.socket.destroy();
    }
    await until(() => openFiles(agent.pid) <= before.files, "all are closed");

    console.log(
      `10,000 sockets: ${most - before.files} open at most, agent +${((memoryOf(agent.pid) - before.memory) / MIB).toFixed(1)} MiB, others answered within ${Math.max(...latencies).toFixed(1)} ms`,
    );
    expect(most - before.files).toBeLessThanOrEqual(1024 + 16);
    expect(Math.max(...latencies)).toBeLessThan(PROMPT_MS);
    expect(await checkOthers()).toBeLessThan(PROMPT_MS);
    socket.close();
  });
});
