import { bundle } from "../../scripts/bundle.mjs";

// Minified: the command starts for every call, and reading it is most of its start.
await bundle({
  entry: new URL("src/main.ts", import.meta.url),
  outfile: new URL("dist/main.js", import.meta.url),
  minify: true,
});
