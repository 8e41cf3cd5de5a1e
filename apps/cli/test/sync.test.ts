import type { Synced } from "@lendbuf/shared/api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterAll(() => agent[Symbol.asyncDispose]());

const WINDOW = ["--exporter", "staged"];

it("exec --pull copies from the device before the command, --push to it after", async () => {
  await agent.run("poke", "sim0/ddr", "0", "0x41424344");

  const program = "head -c 4 <&3; printf wxyz | dd of=/proc/self/fd/3 conv=notrunc 2>/dev/null";
  const ran = await agent.run("exec", "sim0/ddr", ...WINDOW, "--pull", "--push", "--", "sh", "-c", program);

  expect([ran.code, ran.stdout]).toEqual([0, "DCBA"]);
  expect((await agent.run("peek", "sim0/ddr", "0")).stdout).toBe("0x7a797877\n");
});

it("exec --push copies nothing where the command fails", async () => {
  await agent.run("poke", "sim0/ddr", "0", "7");

  const ran = await agent.run("exec", "sim0/ddr", ...WINDOW, "--push", "--", "sh", "-c", "exit 5");

  expect(ran.code).toBe(5);
  expect((await agent.run("peek", "sim0/ddr", "0")).stdout).toBe("0x00000007\n");
});

it("sync copies while a command runs, and says how much", async () => {
  const exec = agent.start(
    "exec",
    "sim0/regs",
    ...WINDOW,
    "--",
    "sh",
    "-c",
    "echo id $LENDBUF_DELEGATION; read line; od -An -tx4 -N4 /proc/self/fd/3",
  );
  const [, id] = await exec.sees(/id (\d+)/);

  const synced = await agent.run("sync", id!, "from-device", "--length", "16", "--width", "64");
  const asJson = await agent.json<Synced>("sync", id!, "to-device", "--offset", "8", "--length", "4");
  const refused = await agent.run("sync", id!, "from-device", "--offset", "2");
  exec.type("go\n");
  const { stdout } = await exec.ended;

  expect(synced.stdout).toMatch(/^16 B copied from the device in [\d.]+ ms\.\n$/);
  expect(asJson).toEqual({ length: 4, durationMs: expect.any(Number) });
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("multiples of 4 bytes")]);
  expect(stdout).toContain("444e454c");
});

it.each([
  [["--pull"], /add --exporter staged/],
  [[...WINDOW, "--push", "--read-only"], /leave one out/],
  [["--exporter", "stage"], /memfd, vfio, staged/],
  [["--exporter", "vfio"], /it has memfd, staged/],
])("exec %j is refused before anything is lent", async (options, words) => {
  const { code, stderr } = await agent.run("exec", "sim0/regs", ...options, "--", "true");

  expect(code).not.toBe(0);
  expect(stderr).toMatch(words);
});
