// The agent's manual page, written by its own help text; the command's is made by its build.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./step.mjs";

const AGENT = join(ROOT, "apps/agent/bin/lendbuf-agent.js");

/** lendbuf-agent(8). `date` as YYYY-MM-DD. */
export async function agentPage(version, date) {
  return [
    title("LENDBUF-AGENT", 8, version, date),
    section("NAME", "lendbuf-agent \\- owns this host's devices and lends their memory"),
    section("SYNOPSIS", ".B lendbuf-agent\n[\\fIoptions\\fR]"),
    section("DESCRIPTION", verbatim(await helpOf(AGENT, ["--help"]))),
    section("SEE ALSO", ".BR lendbuf (1)\n.br\n/usr/share/doc/lendbuf"),
  ].join("\n");
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
