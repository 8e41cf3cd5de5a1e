// npm run check: the static checks alone.
import { install, orExplain } from "./bootstrap.mjs";
import { requireNode } from "./requirements.mjs";
import { runCheck, staticChecks } from "./static-checks.mjs";

await orExplain(async () => {
  requireNode();
  await install();
});
for (const check of staticChecks()) if ((await runCheck(check)) === "failed") process.exitCode = 1;
