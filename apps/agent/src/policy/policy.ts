import { AgentError } from "@lendbuf/shared/errors";
import type { Rule } from "@lendbuf/shared/rule";
import type { Store } from "../store/store.ts";
import { HeldTime } from "./held-time.ts";

type Definition = Omit<Rule, "source">;

/** The rules that count: those of the configuration file in their order, then those that admins made, in the order in which they came. */
export class Policy {
  readonly held: HeldTime;
  readonly #store: Store;
  #configured: readonly Rule[];
  #stored: readonly Rule[] = [];
  #all: readonly Rule[] = [];

  constructor(store: Store, configured: readonly Rule[]) {
    this.#store = store;
    this.#configured = configured;
    this.held = new HeldTime(store);
    this.load();
  }

  get rules(): readonly Rule[] {
    return this.#all;
  }

  /** Takes up those that the store knows: at start, and when it could be opened at last. */
  load(): void {
    this.held.load();
    this.#read();
  }

  #read(): void {
    const rows = this.#store.all<{ definition: string }>("SELECT definition FROM rules ORDER BY rowid");
    this.#stored = rows.map(({ definition }) => ({ ...(JSON.parse(definition) as Definition), source: "store" }));
    this.#settle();
  }

  /** Those of the file, read anew. */
  configure(rules: readonly Rule[]): void {
    this.#configured = rules;
    this.#settle();
  }

  /** In place of one of the same name, or after all others. @throws AgentError NOT_ALLOWED, STORE_READ_ONLY */
  define(definition: Definition, actor: string): Rule {
    this.#requireChangeable(definition.name);
    this.#store.record({ at: Date.now(), actor, action: "rule.defined", detail: definition });
    this.#read();
    return { ...definition, source: "store" };
  }

  /** @throws AgentError NOT_FOUND, NOT_ALLOWED, STORE_READ_ONLY */
  remove(name: string, actor: string): void {
    this.#requireChangeable(name);
    if (!this.#stored.some((rule) => rule.name === name))
      throw new AgentError("NOT_FOUND", `There is no rule "${name}". \`lendbuf policy list\` lists them.`);
    this.#store.record({ at: Date.now(), actor, action: "rule.removed", detail: { name } });
    this.#read();
  }

  #requireChangeable(name: string): void {
    if (this.#configured.some((rule) => rule.name === name))
      throw new AgentError(
        "NOT_ALLOWED",
        `Rule "${name}" stands in the agent's configuration file. Change it there, then \`lendbuf config reload\`; or choose another name.`,
      );
  }

  /** A rule of the file hides one of the same name in the store. */
  #settle(): void {
    const names = new Set(this.#configured.map(({ name }) => name));
    this.#all = [...this.#configured, ...this.#stored.filter(({ name }) => !names.has(name))];
    if (this.#all.some(({ maxPerWeekMs }) => maxPerWeekMs !== null)) this.held.begin();
  }
}
