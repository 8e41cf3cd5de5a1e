// What only root can do to a device that is lent.
import { test } from "node:test";
import { unplugCases } from "../../../packages/native/test/machine/vfio-cases.ts";

const timeout = 30_000 * Number(process.env.LENDBUF_LAB_SLOWNESS ?? 1);

for (const { name, run } of unplugCases()) test(name, { timeout }, run);
