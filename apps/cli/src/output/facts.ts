import { harmless } from "@lendbuf/shared/harmless";
import { paint } from "./style.ts";
import { columnsOf, cut } from "./text.ts";

const NAME_WIDTH = 11;

/** One a line, its name first. */
export function factLines(facts: readonly [name: string, value: string][]): string[] {
  const width = columnsOf() - NAME_WIDTH;
  return facts.map(([name, value]) => `${paint(name.padEnd(NAME_WIDTH), "dim")}${cut(harmless(value), width)}`);
}
