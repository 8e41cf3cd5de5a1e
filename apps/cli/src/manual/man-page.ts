import type { EventEmitter } from "node:events";
import type { Command, Help } from "commander";
import { EXIT_CODES } from "../exit-codes.ts";
import { bold, paragraph, preformatted, roff, section, subsection, tagged } from "./roff.ts";

const ENVIRONMENT: readonly [name: string, meaning: string][] = [
  ["LENDBUF_SOCKET", "The agent's socket; --socket wins over it."],
  ["XDG_RUNTIME_DIR", "Where a user's own agent listens, in lendbuf/agent.sock."],
  ["COLUMNS", "How wide tables are, also where the output is no terminal."],
  ["NO_COLOR", "No colours."],
];

/** The manual's page in the man(7) macros, from the same program that parses the arguments. */
export function manPage(program: Command): string {
  const help = program.createHelp();
  const name = program.name();
  return [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${program.version()}" "User Commands"\n.nh\n`,
    section("NAME"),
    `${roff(name)} \\- lends device memory for a while, and takes it back\n`,
    section("SYNOPSIS"),
    paragraph(bold(name), roff("[options] <command> ...")),
    section("DESCRIPTION"),
    paragraph(roff(program.description())),
    paragraph(
      roff(
        "It speaks to an agent on the same host through its unix socket. Options that follow stand before or after a command's name.",
      ),
    ),
    ...program.options.map((option) => tagged(option.flags, option.description)),
    tagged("-h, --help", "explain a command"),
    section("COMMANDS"),
    ...groupsOf(help, program),
    section("EXIT STATUS"),
    ...EXIT_CODES.map(([code, meaning]) => tagged(code, meaning)),
    section("ENVIRONMENT"),
    ...ENVIRONMENT.map(([variable, meaning]) => tagged(variable, meaning)),
    section("FILES"),
    tagged("/run/lendbuf/agent.sock", "Where the system's agent listens."),
  ].join("");
}

function groupsOf(help: Help, program: Command): string[] {
  const commands = help.visibleCommands(program).filter((command) => command.name() !== "help");
  const groups = [...new Set(commands.map((command) => command.helpGroup()))];
  return groups.flatMap((group) => [
    subsection(group?.replace(/:$/, "") || "Others"),
    ...commands.filter((command) => command.helpGroup() === group).flatMap((command) => describe(help, command)),
  ]);
}

/** One command, then those that it has. */
function describe(help: Help, command: Command): string[] {
  const usage = help.commandUsage(command).replace(/ \[options\]/, "");
  const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
  const inner = help.visibleCommands(command).filter((one) => one.name() !== "help");
  return [
    tagged(usage, command.description()),
    ".RS\n",
    ...options.map((option) => tagged(option.flags, help.optionDescription(option))),
    ...textAfter(command),
    ".RE\n",
    ...inner.flatMap((one) => describe(help, one)),
  ];
}

/** What the command's help ends in: paragraphs, and examples, which are indented. */
function textAfter(command: Command): string[] {
  let text = "";
  const write = (more: string) => (text += more);
  // commander's own way to its help texts; its types leave out that a command is an emitter.
  (command as unknown as EventEmitter).emit("afterHelp", { command, error: false, write });
  const blocks = text.split(/\n\s*\n/).filter((block) => block.trim());
  return blocks.map((block) =>
    /^( {2}.*\n?)+$/.test(block.replace(/^\n/, "")) ? preformatted(block) : paragraph(roff(block)),
  );
}
