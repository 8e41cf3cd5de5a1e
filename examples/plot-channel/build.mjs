import { bundle } from "../../scripts/bundle.mjs";

await bundle({
  entry: new URL("src/plot.ts", import.meta.url),
  outfile: new URL("dist/plot.js", import.meta.url),
});
