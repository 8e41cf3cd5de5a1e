import { differences, takeOver } from "@lendbuf/config/changes";
import type { Config } from "@lendbuf/config/config";
import { ConfigError } from "@lendbuf/config/config-error";
import { notesOn } from "@lendbuf/config/notes";
import { AgentError } from "@lendbuf/shared/errors";
import type { Reloaded } from "@lendbuf/shared/rule";
import type { Core } from "../core.ts";
import { cutOff, requireNothingOf } from "../revocation/cut-off.ts";

/**
 * Reads the configuration file anew and takes all of it up that a running agent can, or nothing where anything is wrong with it. What is
 * lent stays lent; only an account that is in it no more loses what it has.
 * @throws AgentError BAD_INPUT with all that is wrong, IN_USE, UNSUPPORTED, STORE_READ_ONLY
 */
export async function reload(core: Core, actor: string, { checkOnly = false } = {}): Promise<Reloaded> {
  try {
    const next = readAnew(core);
    const found = { file: next.file!, ...differences(core.config, next), notes: notesOn(next) };
    checkUids(core, next);
    const reloaded: Reloaded = { ...found, accounts: next.accounts.length, rules: next.rules.length };
    if (checkOnly) return reloaded;
    const gone = goneFrom(core, next);
    core.store.record({ at: Date.now(), actor, action: "config.reloaded", detail: reloaded });
    takeOver(core.config, next);
    core.accounts.settle();
    core.policy.configure(next.rules);
    core.changed.notify();
    core.log.info(reloaded, "the configuration was read anew");
    for (const account of gone) await cutOff(core, account, actor);
    return reloaded;
  } catch (cause) {
    if (cause instanceof AgentError && !checkOnly) tellRefusal(core, actor, cause);
    throw cause;
  }
}

function readAnew({ readConfig, config }: Core): Config {
  try {
    const next = readConfig();
    if (next.file !== null) return next;
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new AgentError("BAD_INPUT", `Nothing was changed: ${cause.problems.join(" ")}`, { cause });
  }
  throw new AgentError(
    "UNSUPPORTED",
    config.file === null
      ? "This agent was started without a configuration file, so there is nothing to read. Start it with --config FILE."
      : `${config.file} is not there any more. Nothing was changed.`,
  );
}

/** A uid that is named for the first time becomes another account. @throws AgentError IN_USE */
function checkUids(core: Core, { accounts }: Config): void {
  for (const { uids } of accounts)
    for (const uid of uids) if (core.accounts.ofUid(uid) === undefined) requireNothingOf(core, `uid:${uid}`);
}

/** Those that had a way in by the file and have none any more. */
function goneFrom(core: Core, next: Config): string[] {
  const stays = (name: string) =>
    next.accounts.some((account) => account.name === name && !account.disabled) ||
    (!next.accounts.some((account) => account.name === name) && core.accounts.isStored(name));
  return core.config.accounts.map(({ name }) => name).filter((name) => !stays(name));
}

/** In the log and in the audit; the answer says it too. */
function tellRefusal(core: Core, actor: string, { code, message }: AgentError): void {
  core.log.error({ code, problem: message }, "the configuration was not taken up");
  core.store.recordLater({ at: Date.now(), actor, action: "config.refused", detail: { code, problem: message } });
}
