import type { Input } from "@lendbuf/shared/api";
import { BUFFER_PATTERN, WHO } from "@lendbuf/shared/rule";
import { type Command, InvalidArgumentError, Option } from "commander";
import { account, bufferName, count, duration, tags } from "../arguments.ts";
import { printList } from "../output/list.ts";
import { printDone, printJson, printLine } from "../output/print.ts";
import { ANSWER_COLUMNS, explanationLine, RULE_COLUMNS } from "../output/rule.ts";
import { Table } from "../output/table.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planRule, rules } from "../planning/policy.ts";
import { withAgent } from "../session.ts";

interface Options {
  who?: string[];
  buffers?: string[];
  tag?: string[];
  allow?: boolean;
  mayQueue?: boolean;
  mayExtend?: boolean;
  allowIrrevocable?: boolean;
  maxLease?: number;
  maxPerWeek?: number;
  maxAtOnce?: number;
  mayRevoke?: string[];
  dryRun?: boolean;
}

export function addPolicy(program: Command): void {
  const command = program.command("policy").description("the rules of who may borrow what, and for how long");
  command
    .command("list")
    .description("the rules, in the order in which they count")
    .action((_options, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        const empty = "No rules: members may borrow all buffers, within the agent's limits.";
        await printList(await rules(agent), RULE_COLUMNS, { json, empty });
      }),
    );
  addExplain(command);
  withAnswers(command.command("define").description("make a rule, or replace one").argument("<name>", "its name"))
    .addOption(dryRunOption())
    .action((name: string, { dryRun, ...options }: Options, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        if (dryRun) return showPlan(await planRule(agent, "policy.define", name), json);
        const rule = await agent.call("policy.define", { name, ...fieldsOf(options) });
        if (json) return printJson(rule);
        await printDone(`Rule ${rule.name} counts from now on; what is lent stays lent until its lease ends.`);
      }),
    );
  command
    .command("remove")
    .description("remove a rule")
    .argument("<name>", "which")
    .addOption(dryRunOption())
    .action((name: string, { dryRun }: Options, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        if (dryRun) return showPlan(await planRule(agent, "policy.remove", name), json);
        await agent.call("policy.remove", { name });
        if (json) return printJson(null);
        await printDone(`Rule ${name} is removed.`);
      }),
    );
}

function addExplain(command: Command): void {
  command
    .command("explain")
    .description("what an account would be allowed to do with a buffer, and by which rule")
    .argument("<account>", "whom: alice, uid:1000", account)
    .argument("<buffer>", "which", bufferName)
    .action((wanted: string, buffer: string, _options, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        const explanation = await agent.call("policy.explain", { account: wanted, buffer });
        if (json) return printJson(explanation);
        const lines = new Table(ANSWER_COLUMNS).lines(explanation.answers);
        await printLine([explanationLine(explanation), ...lines].join("\n"));
      }),
    );
}

const yesOrNo = (flags: string, about: string) =>
  new Option(`${flags} <yes|no>`, about).argParser((text) => {
    if (text === "yes" || text === "no") return text === "yes";
    throw new InvalidArgumentError("Write yes or no.");
  });

/** Collects: for `<word...>`. */
const listOf =
  (pattern: RegExp, advice: string) =>
  (text: string, before: string[] = []) => {
    if (!pattern.test(text)) throw new InvalidArgumentError(advice);
    return [...before, text];
  };
const who = listOf(WHO, "Write *, alice, ci-*, role:member or group:lab; with ! before it: but not these.");

function withAnswers(command: Command): Command {
  return command
    .option("--who <who...>", "for whom: alice, ci-*, role:member, group:lab, !bob (else all)", who)
    .option(
      "--buffers <pattern...>",
      "of which buffers: fpga/*, !fpga/regs (else all)",
      listOf(BUFFER_PATTERN, "Write *, fpga/* or sim0/ch?; with ! before it: but not these."),
    )
    .option("--tag <tag...>", "that have one of these tags", tags)
    .addOption(yesOrNo("--allow", "whether they may borrow them"))
    .addOption(yesOrNo("--may-queue", "whether they may stand in line"))
    .addOption(yesOrNo("--may-extend", "whether they may extend a lease"))
    .addOption(yesOrNo("--allow-irrevocable", "whether they may have what nothing takes back by force"))
    .option("--max-lease <duration>", "the longest lease: 2h", duration)
    .option("--max-per-week <duration>", "all together in seven days: 10h", duration)
    .option("--max-at-once <n>", "how many at once", count)
    .option("--may-revoke <who...>", "whose delegations of them they may end by force", who);
}

function fieldsOf({
  maxLease,
  maxPerWeek,
  tag,
  ...options
}: Omit<Options, "dryRun">): Omit<Input<"policy.define">, "name"> {
  return {
    ...options,
    ...(tag && { tags: tag }),
    ...(maxLease !== undefined && { maxLeaseMs: maxLease }),
    ...(maxPerWeek !== undefined && { maxPerWeekMs: maxPerWeek }),
  };
}
