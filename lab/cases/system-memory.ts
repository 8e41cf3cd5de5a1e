// The warden's exporters of system memory, under this kernel.
import { test } from "node:test";
import { systemMemoryCases } from "../../packages/native/test/machine/system-memory-cases.ts";

for (const { name, run } of systemMemoryCases()) test(name, { timeout: 30_000 }, run);
