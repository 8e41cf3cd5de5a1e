// The warden and its VFIO exporter, under this kernel.
import { test } from "node:test";
import { casesHere } from "../../packages/native/test/machine/vfio-cases.ts";

const timeout = 30_000 * Number(process.env.LENDBUF_LAB_SLOWNESS ?? 1);

for (const { name, run } of casesHere()) test(name, { timeout }, run);
