import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dropOld } from "../store/retention.ts";
import { Store } from "../store/store.ts";
import { Policy } from "./policy.ts";

it("rules outlive the audit's old entries, in their order", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lendbuf-rules-"));
  const store = new Store({ directory, durability: "NORMAL" });
  try {
    for (const name of ["b", "a", "c"])
      store.record({ at: 1000, actor: "test", action: "rule.defined", detail: { name } });

    const dropped = await dropOld(store, 2000, []);
    const [{ detail } = { detail: "" }] = store.all<{ detail: string }>(
      "SELECT detail FROM audit WHERE action = 'rules.carried'",
    );

    expect(dropped).toBe(3);
    expect(JSON.parse(detail).rules).toEqual([{ name: "b" }, { name: "a" }, { name: "c" }]);
    expect(new Policy(store, []).rules.map(({ name }) => name)).toEqual(["b", "a", "c"]);
  } finally {
    store.close();
    rmSync(directory, { recursive: true });
  }
});
