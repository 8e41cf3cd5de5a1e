import { readdirSync } from "node:fs";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import type { Argument, Command, Option } from "commander";
import { bdfs, bufferName, delegationId, delegationIds, deviceName, method } from "../arguments.ts";

/** What may be typed next, and what it is. */
export interface Candidate {
  text: string;
  about: string;
}

/** What an agent knows the names of. */
export interface LiveNames {
  buffers(beginning: string): Promise<Candidate[]>;
  devices(): Promise<Candidate[]>;
  delegations(): Promise<Candidate[]>;
}

/** How far the words have led. */
interface Place {
  command: Command;
  /** How many of the command's arguments stand there already. */
  given: number;
  /** The option whose value comes next. */
  option?: Option | undefined;
  /** Options of the whole program that were given: which agent is to be asked. */
  values: Map<string, string>;
  /** After `--`, or after help. */
  isElsewhere: boolean;
}

/** For the last of the words, which may be empty; none where the shell's own will do: files, or another program's words. */
export async function candidatesFor(
  program: Command,
  words: readonly string[],
  namesAt: (options: ReadonlyMap<string, string>) => LiveNames,
): Promise<Candidate[]> {
  const beginning = words.at(-1) ?? "";
  const place = placeOf(program, words.slice(0, -1));
  const found = await allAt(place, beginning, namesAt(place.values));
  return found.filter(({ text }) => text.startsWith(beginning));
}

async function allAt({ command, given, option, isElsewhere }: Place, beginning: string, names: LiveNames) {
  if (isElsewhere) return [];
  if (option) return valuesOf(option, beginning, names);
  if (beginning.startsWith("-")) return optionsOf(command);
  const commands = given === 0 ? commandsOf(command) : [];
  const argument = command.registeredArguments[given] ?? command.registeredArguments.at(-1);
  const isTaken = given >= command.registeredArguments.length && !argument?.variadic;
  return argument && !isTaken ? [...commands, ...(await valuesOf(argument, beginning, names))] : commands;
}

function placeOf(program: Command, words: readonly string[]): Place {
  const place: Place = { command: program, given: 0, values: new Map(), isElsewhere: false };
  for (const word of words) step(place, word);
  return place;
}

function step(place: Place, word: string): void {
  const { command, option } = place;
  if (option) {
    place.values.set(option.attributeName(), word);
    place.option = undefined;
  } else if (word === "--") place.isElsewhere = true;
  else if (word.startsWith("-")) {
    const named = allOptions(command).find(({ long, short }) => word === long || word === short);
    if (named?.required) place.option = named;
  } else {
    const next = place.given === 0 && command.commands.find((one) => one.name() === word);
    if (next) place.command = next;
    // help takes the words that commands are named by.
    else if (word !== "help" || command.parent) place.given++;
  }
}

function commandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ text: one.name(), about: one.description() }));
}

function optionsOf(command: Command): Candidate[] {
  const help = { text: "--help", about: "explain the command" };
  return [...allOptions(command).map(({ long, description }) => ({ text: long!, about: description })), help];
}

function allOptions(command: Command): Option[] {
  const own = command.options.filter(({ hidden }) => !hidden);
  return command.parent ? [...own, ...allOptions(command.parent)] : own;
}

/** By the function that parses it: whatever takes a buffer's name is offered the buffers. */
async function valuesOf(target: Argument | Option, beginning: string, names: LiveNames): Promise<Candidate[]> {
  if (target.argChoices) return target.argChoices.map((text) => ({ text, about: "" }));
  const parser: unknown = target.parseArg;
  if (parser === bufferName) return names.buffers(beginning);
  if (parser === deviceName) return names.devices();
  if (parser === delegationId || parser === delegationIds) return names.delegations();
  if (parser === method) return Object.entries(PROCEDURES).map(([text, about]) => ({ text, about }));
  return parser === bdfs ? pciFunctions() : [];
}

function pciFunctions(): Candidate[] {
  try {
    return readdirSync("/sys/bus/pci/devices").map((text) => ({ text, about: "PCI function" }));
  } catch {
    return [];
  }
}
