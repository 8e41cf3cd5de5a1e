// The built agent under this kernel, as an ordinary user.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestAgent } from "../guest/agent.ts";

test("the agent lends simulated memory and takes it back", async () => {
  await using agent = await GuestAgent.start();
  const client = await agent.connect();
  const operator = await agent.connect();
  const lease = await client.borrow({ buffer: "sim0/ddr" });
  const memory = lease.map();
  memory.store(0, 32, 0x1234);

  const [ended] = await operator.call("delegations.revoke", { ids: [lease.delegation.id] });

  assert.notEqual(process.getuid!(), 0);
  assert.equal(ended?.state, "revoked");
  assert.throws(() => memory.load(0, 32), { code: "EFAULT" });
});
