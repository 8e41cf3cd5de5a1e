import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { wardenPath } from "../src/build.ts";

/** A build of the warden that the whole suite runs against. */
export interface Build {
  name: string;
  /** The program and what it takes to run it. */
  command: string[];
  /** warden-parts.cc of the same build; the plain build has none. */
  parts?: string[];
}

const root = fileURLToPath(new URL("../", import.meta.url));

execFileSync(process.execPath, [`${root}scripts/build-sanitized.mjs`], { stdio: ["ignore", "ignore", "inherit"] });

/** ThreadSanitizer finds no room for its shadow where the kernel spreads mappings over more bits than it expects. */
const unspread = ["setarch", "-R"];

export const plain: Build = { name: "plain", command: [wardenPath()] };

export const sanitized: (Build & { parts: string[] })[] = [
  { name: "ASan and UBSan", folder: "address", prefix: [] as string[] },
  { name: "TSan", folder: "thread", prefix: unspread },
].map(({ name, folder, prefix }) => ({
  name,
  command: [...prefix, `${root}build-sanitized/${folder}/lendbuf-warden`],
  parts: [...prefix, `${root}build-sanitized/${folder}/warden-parts`],
}));

export const builds: Build[] = [plain, ...sanitized];
