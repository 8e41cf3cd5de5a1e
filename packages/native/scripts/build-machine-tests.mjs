// Builds what runs in the lab machine into dist/, where neither a compiler nor a bundler is needed: the cases, a holder and the warden's parts.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { sourcesOf } from "./sources.mjs";

const root = resolve(import.meta.dirname, "..");
const out = join(root, "dist");

function compile(program, ...sources) {
  const flags = ["-std=gnu++20", "-O1", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-pthread"];
  const args = [...flags, "-Isrc/common", "-Isrc/warden", "-o", join(out, program), ...sources];
  const { status } = spawnSync(process.env.CXX || "g++", args, { stdio: "inherit", cwd: root });
  if (status !== 0) process.exit(status ?? 1);
}

mkdirSync(out, { recursive: true });
await build({
  entryPoints: [join(root, "test/machine/run.ts")],
  outfile: join(out, "machine-tests.mjs"),
  ...{ bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" },
});
const warden = sourcesOf("warden").filter((source) => !source.endsWith("/main.cc"));
compile("warden-holder", "test/warden-holder.cc", "src/common/guard.cc");
compile("vfio-parts", "test/machine/vfio-parts.cc", ...warden, ...sourcesOf("common"));
