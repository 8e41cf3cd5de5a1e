import type { Command } from "commander";
import { EXIT } from "../exit-codes.ts";
import { printDone, printJson, printLine, tell } from "../output/print.ts";
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
      if (json) await printJson(found);
      else if (found.problems.length > 0) tell(`${found.problems.join("\n")}\n`);
      else await printLine(found.words);
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
        await printDone(`Read ${reloaded.file}: ${describeChanges(reloaded)}.`);
      }),
    );
}

async function check(
  named: string | undefined,
): Promise<{ file: string | null; problems: readonly string[]; words: string }> {
  // Loaded only now: no other command reads TOML.
  const { readConfig } = await import("@lendbuf/config/config");
  const { ConfigError } = await import("@lendbuf/config/config-error");
  const { LENDBUF_CONFIG, HOME, XDG_CONFIG_HOME } = process.env;
  const places = { LENDBUF_CONFIG, HOME, XDG_CONFIG_HOME };
  try {
    const config = readConfig(named === undefined ? [] : ["--config", named], places, process.getuid!());
    if (config === "help" || config.file === null)
      return {
        file: null,
        problems: ["There is no configuration file where an agent of yours would look. Name one."],
        words: "",
      };
    const { file, accounts, rules } = config;
    return {
      file,
      problems: [],
      words: `${file} is valid: ${many(accounts.length, "account")}, ${many(rules.length, "rule")}.`,
    };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    return { file: named ?? LENDBUF_CONFIG ?? null, problems: cause.problems, words: "" };
  }
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
