// The warden and its VFIO exporter, under this kernel.
import { test } from "node:test";
import { casesHere } from "../../packages/native/test/machine/vfio-cases.ts";

for (const { name, run } of casesHere()) test(name, { timeout: 30_000 }, run);
