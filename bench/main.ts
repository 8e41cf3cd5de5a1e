// npm run bench [-- NAME…]: all benchmarks, or those named. Prints one table; judges nothing. docs/benchmarks.md explains it.
import { access } from "./access.ts";
import { cli } from "./cli.ts";
import { clients } from "./clients.ts";
import { cycle } from "./cycle.ts";
import { door } from "./door.ts";
import { fillHere } from "./history.ts";
import { holders } from "./holders.ts";
import { kill } from "./kill.ts";
import { lab } from "./lab.ts";
import { settle } from "./machine.ts";
import { parts } from "./parts.ts";
import { revokeAll } from "./revoke-all.ts";
import { start } from "./start.ts";
import { type Line, printTable } from "./table.ts";

const ALL: Record<string, () => Promise<Line[]>> = {
  cycle,
  parts,
  "revoke-all": revokeAll,
  start,
  kill,
  holders,
  door,
  cli,
  access,
  clients,
  lab,
};

const names = process.argv.slice(2);
if (names[0] === "fill") {
  fillHere(names.slice(1));
  process.exit(0);
}
const unknown = names.find((name) => !Object.hasOwn(ALL, name));
if (unknown !== undefined) {
  console.error(`There is no benchmark "${unknown}". There is: ${Object.keys(ALL).join(", ")}.`);
  process.exit(64); // EX_USAGE
}
const about = settle();
const lines: Line[] = [];
for (const name of names.length > 0 ? names : Object.keys(ALL)) {
  process.stderr.write(`${name}…\n`);
  lines.push(...(await ALL[name]!()));
}
for (const line of about) console.log(line);
console.log();
printTable(lines);
process.exit(0);
