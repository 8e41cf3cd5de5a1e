import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundle } from "../../scripts/bundle.mjs";

// Minified: the command starts for every call, and reading it is most of its start.
await bundle({
  entry: new URL("src/main.ts", import.meta.url),
  outfile: new URL("dist/main.js", import.meta.url),
  minify: true,
});

// From the program as it was built, so that the page and the command cannot differ.
const page = execFileSync(process.execPath, [fileURLToPath(new URL("dist/main.js", import.meta.url)), "help", "man"]);
writeFileSync(new URL("dist/lendbuf.1", import.meta.url), page);
