import type { Command } from "commander";
import { manPage } from "../manual/man-page.ts";
import { print } from "../output/print.ts";

/** Not a command that does anything: the manual's page, also as `lendbuf help man`. */
export function addMan(program: Command): void {
  const command = program.command("man", { hidden: true }).action(() => print(manPage(program)));
  command.helpInformation = () => manPage(program);
}
