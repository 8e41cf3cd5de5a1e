#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error(`The agent is not built (${fileURLToPath(main)} is missing). Run: npm run build`);
  process.exit(69); // EX_UNAVAILABLE
}
