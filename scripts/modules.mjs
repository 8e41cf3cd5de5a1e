// A bundle in parts: the files that a module loads from beside it, and those that these load.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./step.mjs";

/** The module itself first; paths below the checkout. */
export function modulesOf(entry) {
  const found = [entry];
  for (const module of found) {
    const text = readFileSync(join(ROOT, module), "utf8");
    const beside = [...text.matchAll(/["']\.\/([\w.-]+\.js)["']/g)].map(([, name]) => join(dirname(module), name));
    found.push(...new Set(beside.filter((path) => !found.includes(path))));
  }
  return found;
}
