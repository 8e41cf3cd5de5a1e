// npm run soak [-- --minutes 10] runs this for longer.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { soak } from "./soak.ts";

const SECONDS = Number(process.env.LENDBUF_SOAK_SECONDS ?? 30);
/** As deep below the root as an app's bundle, from where packages/native finds what it built. */
const BUNDLES = fileURLToPath(new URL("../../../../node_modules/.cache/", import.meta.url));

let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(BUNDLES, "soak-"));
  chmodSync(folder, 0o755); // the clients are others
  program = join(folder, "worker.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("worker-program.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["*.node"],
    banner: { js: "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);" },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it(
  "loses no delegation, no file and no memory, lends nothing twice, and has an audit that replays, whoever is killed",
  async () => {
    const { violations, text } = await soak({ seconds: SECONDS, program });

    console.log(text);
    expect(violations).toEqual([]);
  },
  SECONDS * 1000 + 300_000,
);
