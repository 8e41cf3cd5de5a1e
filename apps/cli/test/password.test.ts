import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { start, startOnTerminal, TestAgent } from "./lendbuf.ts";

const GOOD = "correct horse battery";
const OTHER = "staple of another kind";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
  await agent.json("account", "create", "bob");
});
afterAll(() => agent[Symbol.asyncDispose]());

/** With lines on its stdin, which then ends. */
async function piped(lines: string[], ...args: string[]) {
  const running = start(["account", "password", ...args], { env: { LENDBUF_SOCKET: agent.socket } });
  running.child.stdin!.end(lines.map((line) => `${line}\n`).join(""));
  return running.ended;
}

describe("lendbuf account password", () => {
  it("asks twice on the terminal, which shows nothing of it", async () => {
    const running = startOnTerminal(["account", "password"], { LENDBUF_SOCKET: agent.socket });
    await running.sees(/New password: /);
    running.type(GOOD);
    await running.sees(/The same again: /);
    running.type(GOOD);

    const { stdout, code } = await running.ended;

    expect(stdout).toContain(`The password of uid:${process.getuid!()} is set`);
    expect(stdout).not.toContain(GOOD);
    expect(code).toBe(0);
    expect(await agent.json<{ hasPassword: boolean }>("whoami")).toMatchObject({ hasPassword: true });
  });

  it("changes nothing where the two differ, and asks for the current one first", async () => {
    const running = startOnTerminal(["account", "password"], { LENDBUF_SOCKET: agent.socket });
    await running.sees(/Current password: /);
    running.type(GOOD);
    await running.sees(/New password: /);
    running.type(OTHER);
    await running.sees(/The same again: /);
    running.type(GOOD);

    const { stdout, code } = await running.ended;

    expect(stdout).toContain("These two are not the same. Nothing was changed");
    expect(code).toBe(2);
  });

  it("takes the current one and the new one from stdin, a line each", async () => {
    const wrong = await piped(["not this one at all", OTHER], "--stdin");
    const right = await piped([GOOD, OTHER], "--stdin");

    expect([wrong.code, wrong.stderr]).toEqual([3, "lendbuf: The current password is wrong. Nothing was changed.\n"]);
    expect([right.code, right.stderr]).toEqual([0, ""]);
  });

  it.each([
    ["without a terminal and without --stdin", [], [], 2, /no terminal to type a password on.*--stdin/],
    ["with nothing on stdin", ["bob", "--stdin"], [], 2, /--stdin has no line with this: new password/],
    ["with a short one", ["bob", "--stdin"], ["short"], 2, /a password has at least 12 characters/],
    ["for one who is not there", ["zoe", "--stdin"], [GOOD], 4, /There is no account "zoe"/],
    ["with the password as an argument", ["bob", GOOD], [], 2, /too many arguments/],
  ])("%s is refused", async (_what, args, lines, status, words) => {
    const { stderr, code } = await piped(lines, ...args);

    expect(stderr).toMatch(words);
    expect(code).toBe(status);
  });

  it("says whom it would hit, sets another's, and takes it away", async () => {
    const would = await agent.run("account", "password", "bob", "--dry-run");
    const set = await piped([GOOD], "bob", "--stdin");
    const removed = await agent.run("account", "password", "bob", "--remove");

    expect(would.stdout).toContain("Would set the password of bob and end its other sessions. Nothing was changed.");
    expect(set.stdout).toContain("bob must choose another at the first login with it.");
    expect(removed.stdout).toBe("bob has no password any more.\n");
  });
});
