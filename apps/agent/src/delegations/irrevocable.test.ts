import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "@lendbuf/config/config";
import type { Capability } from "@lendbuf/shared/device";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Accounts } from "../accounts/accounts.ts";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import { Policy } from "../policy/policy.ts";
import { Store } from "../store/store.ts";
import { checkRevocable } from "./irrevocable.ts";
import type { Live } from "./live.ts";

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-irrevocable-"));
  store = new Store({ directory, durability: "NORMAL" });
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

const RAM = { name: "ram0/all", device: { name: "ram0" }, definition: {} } as Buffer<Live>;
const CAPABILITY = { exporter: "udmabuf", scope: "none" } as Capability;

// Few hosts have an exporter of that kind; what is asked is the real policy.
it("what nothing takes back is lent where the settings or the first rule that answers allow it", () => {
  const config = readConfig(["--allow-irrevocable", "ram0", "--config", "none"], {}, 1234);
  if (config === "help") throw new Error("help was not asked for");
  const accounts = new Accounts(store, config);
  const policy = new Policy(store, []);
  const check =
    (account: string, allowIrrevocable = config.allowIrrevocable) =>
    () =>
      checkRevocable(
        { config: { ...config, allowIrrevocable }, accounts, policy } as unknown as Core,
        account,
        RAM,
        CAPABILITY,
      );
  const base = { who: ["*"], buffers: ["ram0/*"], tags: [], allow: null, mayQueue: null, mayExtend: null };
  const nothingElse = { maxLeaseMs: null, maxPerWeekMs: null, maxAtOnce: null, mayRevoke: [] };

  expect(check("alice")).not.toThrow();
  expect(check("alice", [])).toThrow(/--allow-irrevocable ram0\/all/);
  policy.define({ ...base, ...nothingElse, name: "trusted", who: ["alice"], allowIrrevocable: true }, "test");
  policy.define({ ...base, ...nothingElse, name: "nobody", allowIrrevocable: false }, "test");
  expect(check("alice", [])).not.toThrow();
  expect(check("bob")).toThrow(/^Rule "nobody" does not let bob have "ram0\/all" by the exporter "udmabuf"/);
});
