import { readFileSync } from "node:fs";
import { bundle } from "../../scripts/bundle.mjs";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

await bundle({
  entry: new URL("src/main.ts", import.meta.url),
  outfile: new URL("dist/main.js", import.meta.url),
  define: { VERSION: JSON.stringify(version) },
});
