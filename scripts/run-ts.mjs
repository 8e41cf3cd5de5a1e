// node scripts/run-ts.mjs FILE [ARGUMENTS]: runs a TypeScript file of this checkout, bundled as the apps are, on what is built.
import { mkdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bootstrap, orExplain, say } from "./bootstrap.mjs";
import { ROOT } from "./step.mjs";

// As deep below the root as an app's bundle, from where packages/native finds what it built.
const BUNDLES = join(ROOT, "node_modules/.cache/run-ts");

/** `process.argv` is what the file would see if Node ran it itself; `import.meta.url` is the bundle's. */
export async function runTs(file, args) {
  await orExplain(bootstrap);
  const outfile = join(BUNDLES, `${basename(file, ".ts")}-${process.pid}.mjs`);
  mkdirSync(BUNDLES, { recursive: true });
  process.on("exit", () => {
    for (const made of [outfile, `${outfile}.map`]) rmSync(made, { force: true });
  });
  const [{ bundle }, { stop }] = await Promise.all([import("./bundle.mjs"), import("esbuild")]);
  await bundle({ entry: pathToFileURL(file), outfile: pathToFileURL(outfile) });
  await stop();
  process.setSourceMapsEnabled(true);
  process.argv = [process.argv[0], file, ...args];
  await import(pathToFileURL(outfile).href);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) {
    say("usage: node scripts/run-ts.mjs FILE [ARGUMENTS]");
    process.exit(64); // EX_USAGE
  }
  await runTs(resolve(file), args);
}
