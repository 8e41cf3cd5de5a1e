// How a TypeScript entry becomes one file that Node runs: for the apps' builds and for run-ts.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// CommonJS dependencies call `require` for Node's own modules, which an ES module does not have.
const BANNER = `import { createRequire as bundleRequire } from "node:module";\nconst require = bundleRequire(import.meta.url);`;

export function bundle({ entry, outfile, ...options }) {
  return build({
    entryPoints: [fileURLToPath(entry)],
    outfile: fileURLToPath(outfile),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: ["libsql", "*.node"], // libsql finds its native part from where it lies
    banner: { js: BANNER },
    sourcemap: "linked",
    logLevel: "warning",
    ...options,
  }).catch(() => process.exit(1)); // esbuild has said why, better than its stack would
}
