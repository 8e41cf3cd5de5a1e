import { defaultConfigPath } from "@lendbuf/shared/paths";
import type { Command } from "commander";
import { EXIT } from "../exit-codes.ts";
import { notify, printDone, printJson, printLine, tell } from "../output/print.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { describeChanges, planReload } from "../planning/policy.ts";
import { withAgent } from "../session.ts";

export function addConfig(program: Command): void {
  const command = program.command("config").description("the agent's configuration file");
  command
    .command("check")
    .description("say what is wrong with a configuration file; works without an agent")
    .argument("[file]", "which (else LENDBUF_CONFIG, or where an agent of yours would look)")
    .action(async (file: string | undefined, _options, self: Command) => {
      const found = await check(file);
      const { json } = self.optsWithGlobals<{ json?: boolean }>();
      const { words, notes, ...answer } = found;
      if (json) await printJson({ ...answer, notes });
      else if (found.problems.length > 0) tell(`${found.problems.join("\n")}\n`);
      else await printLine(words);
      if (!json) for (const note of notes) notify(`note: ${note}\n`);
      if (found.problems.length > 0) process.exitCode = EXIT.usage;
    });
  command
    .command("reload")
    .description("have the agent read its configuration file anew: all of it, or where anything is wrong nothing")
    .addOption(dryRunOption())
    .action(({ dryRun }: { dryRun?: boolean }, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        if (dryRun) return showPlan(await planReload(agent), json);
        const reloaded = await agent.call("config.reload");
        if (json) return printJson(reloaded);
        for (const note of reloaded.notes) notify(`note: ${note}\n`);
        await printDone(`Read ${reloaded.file}: ${describeChanges(reloaded)}.`);
      }),
    );
}

interface Found {
  file: string | null;
  problems: readonly string[];
  notes: readonly string[];
  words: string;
}

async function check(named: string | undefined): Promise<Found> {
  const file = named ?? process.env.LENDBUF_CONFIG ?? defaultConfigPath(process.env, process.getuid!());
  const found = { file, problems: [], notes: [], words: "" };
  if (file === null || file === "" || file === "none")
    return { ...found, problems: ["No configuration file is named, and there is no usual place for one. Name one."] };
  // Loaded only now: no other command reads TOML.
  const { readConfig } = await import("@lendbuf/config/config");
  const { ConfigError } = await import("@lendbuf/config/config-error");
  const { notesOn } = await import("@lendbuf/config/notes");
  try {
    const config = readConfig(["--config", file], {}, SOME_UID);
    if (config === "help") return found;
    const { accounts, rules } = config;
    const counts = `${many(accounts.length, "account")}, ${many(rules.length, "rule")}`;
    return { ...found, notes: notesOn(config), words: `${file} is valid: ${counts}.` };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    return { ...found, problems: cause.problems };
  }
}

/** Whose the agent will be is not known here: an account for oneself is no mistake. */
const SOME_UID = -1;

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
