import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const FOLDER = fileURLToPath(new URL("..", import.meta.url));

const WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror";
const SANITIZE = "-fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize";
const BUILDS = {
  plain: "-O2 -g",
  sanitized: `-O1 -g ${SANITIZE}=address,undefined`,
  threads: `-O1 -g ${SANITIZE}=thread`,
};

/** Makes targets of the Makefile, and only what changed; answers the folder in which they are. */
export function made(build: keyof typeof BUILDS, targets: string[], ...variables: string[]): string {
  const folder = `${FOLDER}build/${build}`;
  const options = [`BUILD=build/${build}`, `CFLAGS=${BUILDS[build]}`, `WARNINGS=${WARNINGS}`, ...variables];
  mkdirSync(folder, { recursive: true });
  // Several test files ask for it at the same time.
  execFileSync("flock", [`${folder}/lock`, "make", "--silent", "-C", FOLDER, ...options, ...targets], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return folder;
}

/** A program of this folder with the library, under AddressSanitizer with LeakSanitizer, and UBSan. */
export function sanitized(name: string): string {
  return `${made("sanitized", [`build/sanitized/${name}`])}/${name}`;
}
