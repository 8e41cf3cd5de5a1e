// How a TypeScript entry becomes one file that Node runs: for the apps' builds and for run-ts.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// CommonJS dependencies call `require` for Node's own modules, which an ES module does not have.
const BANNER = `import { createRequire as bundleRequire } from "node:module";\nconst require = bundleRequire(import.meta.url);`;

// tRPC ships its sources beside a build for old engines, whose helpers take a third of a request's time.
const TRPC_SOURCES = join(dirname(createRequire(import.meta.url).resolve("@trpc/server/package.json")), "src");
const TRPC_FROM_SOURCES = {
  name: "trpc-from-sources",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^@trpc\/server(\/|$)/ }, ({ path, kind, pluginData }) => {
      if (pluginData === TRPC_SOURCES) return undefined;
      const inside = path.slice("@trpc/server".length) || "/index";
      return resolve(`.${inside}`, { kind, resolveDir: TRPC_SOURCES, pluginData: TRPC_SOURCES });
    });
  },
};

/** Into one file, or with an `outdir` into one for the entry and others for what it loads later. */
export function bundle({ entry, outfile, outdir, ...options }) {
  return build({
    entryPoints: [fileURLToPath(entry)],
    ...(outdir ? { outdir: fileURLToPath(outdir), splitting: true } : { outfile: fileURLToPath(outfile) }),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: ["libsql", "@node-rs/argon2", "@playwright/test", "*.node"], // which find their other parts from where they lie
    plugins: [TRPC_FROM_SOURCES],
    banner: { js: BANNER },
    sourcemap: "linked",
    logLevel: "warning",
    ...options,
  }).catch(() => process.exit(1)); // esbuild has said why, better than its stack would
}
