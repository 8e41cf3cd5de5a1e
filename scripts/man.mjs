// Manual pages, written by the programs' own help texts.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./step.mjs";

const CLI = join(ROOT, "apps/cli/bin/lendbuf.js");
const AGENT = join(ROOT, "apps/agent/bin/lendbuf-agent.js");

/** lendbuf(1): what `lendbuf --help` says, then what each command says of itself. `date` as YYYY-MM-DD. */
export async function commandPage(version, date) {
  const help = await helpOf(CLI, ["--help"]);
  const commands = (await Promise.all(commandsIn(help).map(withSubcommands))).flat();
  return [
    title("LENDBUF", 1, version, date),
    section("NAME", "lendbuf \\- lends device memory for a while, and takes it back"),
    section("SYNOPSIS", ".B lendbuf\n[\\fIoptions\\fR] \\fIcommand\\fR"),
    section("DESCRIPTION", verbatim(help.slice(help.indexOf("Lends device memory")))),
    ...commands.map(({ name, help }) => section(name.toUpperCase(), verbatim(withoutGlobalOptions(help)))),
    section("EXIT STATUS", verbatim(await helpOf(CLI, ["help", "exit-codes"]))),
    section("SEE ALSO", ".BR lendbuf-agent (8)"),
  ].join("\n");
}

/** lendbuf-agent(8). */
export async function agentPage(version, date) {
  return [
    title("LENDBUF-AGENT", 8, version, date),
    section("NAME", "lendbuf-agent \\- owns this host's devices and lends their memory"),
    section("SYNOPSIS", ".B lendbuf-agent\n[\\fIoptions\\fR]"),
    section("DESCRIPTION", verbatim(await helpOf(AGENT, ["--help"]))),
    section("SEE ALSO", ".BR lendbuf (1)\n.br\n/usr/share/doc/lendbuf"),
  ].join("\n");
}

/** Named two spaces in, below a heading that ends in a colon. */
function commandsIn(help) {
  const names = [...help.matchAll(/^ {2}([a-z]+)(?= |$)/gm)].map(([, name]) => name);
  return names.filter((name) => name !== "help");
}

/** A command with what it says of itself, and those below it. */
async function withSubcommands(name) {
  const help = await helpOf(CLI, [...name.split(" "), "--help"]);
  const [, list] = help.split(/^Commands:$/m);
  const below = list === undefined ? [] : commandsIn(list.split("\n\n")[0]);
  const pages = await Promise.all(below.map((sub) => withSubcommands(`${name} ${sub}`)));
  return [{ name, help }, ...pages.flat()];
}

/** The page's beginning has them. */
function withoutGlobalOptions(help) {
  return help.replace(/\n\nGlobal Options:\n(?: .*\n?)+/, "\n");
}

async function helpOf(program, args) {
  const env = { ...process.env, COLUMNS: "78", NO_COLOR: "1" };
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], { env });
  return stdout.trimEnd();
}

function title(name, chapter, version, date) {
  return `.TH ${name} ${chapter} ${date} "Lendbuf ${version}" "Lendbuf"`;
}

function section(name, body) {
  return `.SH "${name}"\n${body}`;
}

/** As it stands: a line that begins with a dot or a quote would be a request to the formatter. */
function verbatim(text) {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");
  return `.nf\n${escaped}\n.fi`;
}
