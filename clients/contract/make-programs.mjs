// node make-programs.mjs FOLDER [CFLAG…]: puts the programs that have to be made into FOLDER, for vitest and for the lab machine. It is as deep
// below the root as an app's bundle, from where packages/native finds what it built.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundle } from "../../scripts/bundle.mjs";

const PROGRAMS = fileURLToPath(new URL("programs", import.meta.url));
const C_CLIENT = fileURLToPath(new URL("../c", import.meta.url));

const [folder, ...flags] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await bundle({
  entry: pathToFileURL(join(PROGRAMS, "typescript.ts")),
  outfile: pathToFileURL(join(folder, "typescript.mjs")),
  sourcemap: false,
});
const options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", ...flags, "-I", C_CLIENT];
const sources = [join(PROGRAMS, "c.c"), join(C_CLIENT, "lendbuf.c")];
execFileSync("cc", [...options, "-o", join(folder, "c"), ...sources], { stdio: ["ignore", 2, 2] });
