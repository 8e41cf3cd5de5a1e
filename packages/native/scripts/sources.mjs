// Names the C++ sources of the folders of src that are given, for binding.gyp.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

export function sourcesOf(folder) {
  const names = readdirSync(join(root, "src", folder)).filter((name) => name.endsWith(".cc"));
  return names.sort().map((name) => `src/${folder}/${name}`);
}

if (process.argv[1] === import.meta.filename) console.log(process.argv.slice(2).flatMap(sourcesOf).join(" "));
