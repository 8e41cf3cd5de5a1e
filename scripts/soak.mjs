// npm run soak [-- --minutes 10]: the soak of npm test, for so long.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootstrap, orExplain, say } from "./bootstrap.mjs";
import { ROOT } from "./step.mjs";

const minutes = minutesOf(process.argv.slice(2));
await orExplain(bootstrap);
const vitest = join(ROOT, "node_modules/.bin/vitest");
const child = spawn(vitest, ["run", "apps/agent/test/soak", "--disable-console-intercept"], {
  cwd: ROOT,
  stdio: "inherit",
  env: { ...process.env, LENDBUF_SOAK_SECONDS: String(minutes * 60) },
});
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});

function minutesOf(args) {
  try {
    const { values } = parseArgs({ args, options: { minutes: { type: "string", default: "10" } } });
    const minutes = Number(values.minutes);
    if (minutes > 0 && minutes <= 24 * 60) return minutes;
    say(`--minutes is "${values.minutes}"; it takes a number up to ${24 * 60}, such as 10 or 0.5.`);
  } catch (error) {
    say(`${error.message}\nusage: npm run soak [-- --minutes 10]`);
  }
  process.exit(64); // EX_USAGE
}
