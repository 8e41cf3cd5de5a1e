// npm run bench [-- NAME [ARGUMENTS]]: runs bench/NAME.ts, or bench/main.ts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { say } from "./bootstrap.mjs";
import { runTs } from "./run-ts.mjs";
import { ROOT } from "./step.mjs";

const [name = "main", ...args] = process.argv.slice(2);
const file = join(ROOT, "bench", `${name}.ts`);
if (!existsSync(file)) {
  const names = readdirSync(join(ROOT, "bench")).filter(
    (entry) => entry.endsWith(".ts") && !entry.endsWith(".test.ts"),
  );
  say(`There is no bench/${name}.ts. There is: ${names.join(", ") || "nothing yet"}.`);
  process.exit(64); // EX_USAGE
}
await runTs(file, args);
