// npm run bench [-- NAME…]: all benchmarks, or those named.
import { join } from "node:path";
import { runTs } from "./run-ts.mjs";
import { ROOT } from "./step.mjs";

await runTs(join(ROOT, "bench/main.ts"), process.argv.slice(2));
