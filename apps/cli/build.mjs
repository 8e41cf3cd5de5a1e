import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundle } from "../../scripts/bundle.mjs";

const dist = new URL("dist/", import.meta.url);
rmSync(dist, { recursive: true, force: true }); // of what is loaded later, names change with the contents

// Minified and in parts: the command starts for every call, and reading it is most of its start.
await bundle({
  entry: new URL("src/main.ts", import.meta.url),
  outdir: dist,
  minify: true,
});

// From the program as it was built, so that the page and the command cannot differ.
const page = execFileSync(process.execPath, [fileURLToPath(new URL("main.js", dist)), "help", "man"]);
writeFileSync(new URL("lendbuf.1", dist), page);
