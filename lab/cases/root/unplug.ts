// What only root can do to a device that is lent.
import { test } from "node:test";
import { unplugCases } from "../../../packages/native/test/machine/vfio-cases.ts";

for (const { name, run } of unplugCases()) test(name, { timeout: 30_000 }, run);
