// Brings the files of docs/ up to date that are written by a program.
import { writeFileSync } from "node:fs";
import { DOCS, generatedDocs } from "./reference.ts";

for (const { file, text } of generatedDocs()) writeFileSync(new URL(file, DOCS), text);
