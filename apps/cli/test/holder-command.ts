import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The holder as something to run; `remove` it afterwards. It lies as deep as an app's bundle, from where it finds the addon. */
export async function holderCommand(): Promise<{ words: string[]; remove(): void }> {
  const outfile = fileURLToPath(
    new URL(`../../../node_modules/.cache/cli-test/holder-${randomUUID()}.mjs`, import.meta.url),
  );
  await build({
    entryPoints: [fileURLToPath(new URL("holder.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: ["*.node"],
  });
  return { words: [process.execPath, outfile], remove: () => rmSync(outfile) };
}
