import type { Peeked, Poked } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterAll(() => agent[Symbol.asyncDispose]());

it("peek prints one register as its value alone, more with their offsets", async () => {
  const one = await agent.run("peek", "sim0/regs", "0");
  const more = await agent.run("peek", "sim0/regs", "0x8", "--width", "16", "--count", "2");

  expect([one.stdout, one.code]).toEqual(["0x444e454c\n", 0]);
  expect(more.stdout).toBe("0x8  0xd090\n0xa  0x0003\n");
});

it("poke says what it wrote, and to whom the buffer is lent", async () => {
  const free = await agent.run("poke", "sim0/ddr", "16", "0xfedcba9876543210", "--width", "64");
  const claim = agent.start("exec", "sim0/ddr", "--", "sh", "-c", "echo ready; read line");
  await claim.sees(/ready/);
  const { items } = await agent.json<{ items: Delegation[] }>("delegations");
  const lent = await agent.run("poke", "sim0/ddr", "0x10", "255");
  const poked = await agent.json<Poked>("poke", "sim0/ddr", "20", "7", "--width", "8");
  const peeked = await agent.json<Peeked>("peek", "sim0/ddr", "16", "--width", "64");
  claim.type("done");
  await claim.ended;

  const [delegation] = items;
  expect(free.stdout).toBe("Wrote 0xfedcba9876543210 (64 bits) at 0x10 of sim0/ddr.\n");
  expect(lent.stdout).toBe(
    `Wrote 0x000000ff (32 bits) at 0x10 of sim0/ddr; it is lent to ${delegation!.account} (delegation ${delegation!.id}).\n`,
  );
  expect(poked).toMatchObject({ offset: 20, width: 8, value: "0x07", lentTo: [{ id: delegation!.id }] });
  expect(peeked).toMatchObject({ offset: 16, width: 64, values: ["0xfedcba07000000ff"] });
});

it("what the agent refuses is said, and exits with 2", async () => {
  const { code, stdout, stderr } = await agent.run("poke", "sim0/regs", "8", "256", "--width", "8");

  expect([code, stdout, stderr]).toEqual([2, "", "lendbuf: 0x100 has more than 8 bits.\n"]);
});
