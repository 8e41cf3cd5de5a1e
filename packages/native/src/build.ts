// Where the build puts the addon and the programs, seen from the sources and from a bundle beside them.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** They live in packages/native/build/Release; a bundle in apps/X/dist finds them through the workspace. */
function built(name: string): string {
  for (const up of ["..", "../../../packages/native", "."]) {
    const path = fileURLToPath(new URL(`${up}/build/Release/${name}`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new Error(
    `packages/native is not built (${name} is missing). Run: npm run build; in an installed package: npm rebuild`,
  );
}

export function addonPath(): string {
  return built("lendbuf.node");
}

export function wardenPath(): string {
  return process.env.LENDBUF_WARDEN ?? built("lendbuf-warden");
}

/** The program that runs an operator's with nothing of ours. */
export function hookPath(): string {
  return built("lendbuf-hook");
}

/** The program that looks at /proc for the agent. */
export function holdersPath(): string {
  return built("lendbuf-holders");
}
