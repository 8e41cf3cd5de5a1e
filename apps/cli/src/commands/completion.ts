import type { Command } from "commander";
import { type Candidate, candidatesFor } from "../completion/candidates.ts";
import { liveNames } from "../completion/live-names.ts";
import { SCRIPTS, type Shell } from "../completion/scripts.ts";
import { print } from "../output/print.ts";
import { connectTo } from "../session.ts";

/** Whoever pressed TAB waits. */
const PATIENCE_MS = 800;

const HELP = `
For this shell alone, and for good:

  source <(lendbuf completion bash)          lendbuf completion bash > ~/.local/share/bash-completion/completions/lendbuf
  source <(lendbuf completion zsh)           lendbuf completion zsh > ~/.zfunc/_lendbuf   (a folder of your $fpath, before compinit)
  lendbuf completion fish | source           lendbuf completion fish > ~/.config/fish/completions/lendbuf.fish`;

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print what teaches a shell to complete commands, options, buffers, devices and delegations")
    .addArgument(program.createArgument("<shell>", "which shell").choices(Object.keys(SCRIPTS)))
    .addHelpText("after", HELP)
    .action((shell: Shell) => print(SCRIPTS[shell]));
  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[]) => {
      // An agent that does not answer in time is left: without its names, and without a word.
      setTimeout(() => process.exit(0), PATIENCE_MS).unref();
      const found = await candidatesFor(program, words, (options) =>
        liveNames(() => connectTo(Object.fromEntries(options))),
      );
      await print(found.map(lineOf).join(""));
    });
}

function lineOf({ text, about }: Candidate): string {
  return `${text}\t${about.replace(/\s+/g, " ")}\n`;
}
