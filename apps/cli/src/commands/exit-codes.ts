import type { Command } from "commander";
import { EXIT_CODES } from "../exit-codes.ts";
import { print } from "../output/print.ts";

/** Not a command that does anything: a page of the manual, also as `lendbuf help exit-codes`. */
export function addExitCodes(program: Command): void {
  const page = `${EXIT_CODES.map(([code, meaning]) => `${code.padStart(5)}  ${meaning}`).join("\n")}\n`;
  const command = program.command("exit-codes", { hidden: true }).action(() => print(page));
  command.helpInformation = () => page;
}
