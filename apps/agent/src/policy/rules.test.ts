import { ROLES } from "@lendbuf/shared/role";
import type { Rule } from "@lendbuf/shared/rule";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fits } from "./patterns.ts";
import { refusalOf, revoking, type Subject, type Thing, type Usage, type Wish } from "./rules.ts";

const ACCOUNTS = ["alice", "bob", "ci-1"];
const GROUPS = ["lab", "ops"];
const BUFFERS = ["a/1", "a/2", "b/1"];
const TAGS = ["scarce", "slow"];

const word = fc.constantFrom("*", "alice", "b*", "ci-?", "role:member", "role:admin", "group:lab", "group:ops");
const pattern = fc.constantFrom("*", "a/*", "a/1", "?/1", "b/*");
const negated = (one: fc.Arbitrary<string>) =>
  fc.tuple(fc.boolean(), one).map(([not, text]) => (not ? `!${text}` : text));
const listOf = (one: fc.Arbitrary<string>) => fc.array(negated(one), { minLength: 1, maxLength: 3 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const rule: fc.Arbitrary<Rule> = fc.record({
  name: fc.uuid(),
  source: fc.constant("store" as const),
  who: listOf(word),
  buffers: listOf(pattern),
  tags: fc.subarray(TAGS),
  allow: maybe(fc.boolean()),
  mayQueue: maybe(fc.boolean()),
  mayExtend: maybe(fc.boolean()),
  allowIrrevocable: maybe(fc.boolean()),
  maxLeaseMs: maybe(fc.integer({ min: 1, max: 10 })),
  maxPerWeekMs: maybe(fc.integer({ min: 1, max: 20 })),
  maxAtOnce: maybe(fc.integer({ min: 0, max: 3 })),
  mayRevoke: fc.oneof(fc.constant<string[]>([]), listOf(word)),
});
const person = fc.record({
  account: fc.constantFrom(...ACCOUNTS),
  role: fc.constantFrom(...ROLES, null),
  groups: fc.subarray(GROUPS),
});
const thing: fc.Arbitrary<Thing> = fc.record({ name: fc.constantFrom(...BUFFERS), tags: fc.subarray(TAGS) });
/** What somebody has: each for so long. */
const things = fc.array(fc.tuple(thing, fc.integer({ min: 0, max: 9 })), { maxLength: 4 });
const wish: fc.Arbitrary<Wish> = fc.record({
  use: fc.constantFrom("borrow", "queue", "extend"),
  leaseMs: fc.integer({ min: 1, max: 12 }),
});

type Person = { account: string; role: Subject["role"]; groups: string[] };

function subjectOf({ account, role, groups }: Person): Subject {
  return { account, role, isIn: (group) => groups.includes(group) };
}

function usageOf(held: readonly [Thing, number][]): Usage {
  return {
    count: (covers) => held.filter(([one]) => covers(one)).length,
    heldMs: (covers) => held.reduce((sum, [one, ms]) => (covers(one) ? sum + ms : sum), 0),
  };
}

/** The rules again, in the plainest words: a table of all words that hold, and no order of evaluation but the rules' own. */
const model = {
  glob: (text: string, name: string) =>
    new RegExp(
      `^${text
        .replace(/[.\-/]/g, "\\$&")
        .replaceAll("?", ".")
        .replaceAll("*", ".*")}$`,
    ).test(name),
  list(words: string[], holds: (word: string) => boolean): boolean {
    const included = words.filter((one) => one[0] !== "!");
    const excluded = words.filter((one) => one[0] === "!").map((one) => one.slice(1));
    return (included.length === 0 || included.some(holds)) && !excluded.some(holds);
  },
  who(words: string[], { account, role, groups }: Person): boolean {
    const names = [`role:${role}`, ...groups.map((group) => `group:${group}`)];
    return model.list(words, (one) => names.includes(one) || (!one.includes(":") && model.glob(one, account)));
  },
  about: (one: Rule, { name, tags }: Thing) =>
    model.list(one.buffers, (text) => model.glob(text, name)) &&
    (one.tags.length === 0 || one.tags.filter((tag) => tags.includes(tag)).length > 0),
  says(rules: Rule[], key: "allow" | "mayQueue" | "mayExtend", who: Person, what: Thing): boolean {
    for (const one of rules)
      if (model.who(one.who, who) && model.about(one, what) && one[key] !== null) return one[key];
    return true;
  },
  isRefused(
    rules: Rule[],
    who: Person,
    what: Thing,
    { use, leaseMs }: Wish,
    held: readonly [Thing, number][],
  ): boolean {
    if (!model.says(rules, "allow", who, what)) return true;
    if (use === "queue" && !model.says(rules, "mayQueue", who, what)) return true;
    if (use === "extend" && !model.says(rules, "mayExtend", who, what)) return true;
    return rules.some((one) => {
      if (!model.who(one.who, who) || !model.about(one, what)) return false;
      const mine = held.filter(([other]) => model.about(one, other));
      const total = mine.map(([, ms]) => ms).reduce((a, b) => a + b, leaseMs);
      return (
        leaseMs > (one.maxLeaseMs ?? Infinity) ||
        mine.length + 1 > (one.maxAtOnce ?? Infinity) ||
        total > (one.maxPerWeekMs ?? Infinity)
      );
    });
  },
};

describe("the rules", () => {
  it("refuse what the plain model refuses, by a rule that is about it", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), person, thing, wish, things, (rules, who, what, asked, held) => {
        const refusal = refusalOf(rules, subjectOf(who), what, asked, usageOf(held));

        expect(refusal !== null).toBe(model.isRefused(rules, who, what, asked, held));
        if (!refusal) return;
        refused++;
        expect(rules).toContain(refusal.rule);
        expect(model.who(refusal.rule.who, who) && model.about(refusal.rule, what)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(200);
  });

  it("let revoke whom the first rule that is about it names", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), person, person, thing, (rules, who, owner, what) => {
        const found = revoking(rules, subjectOf(who), subjectOf(owner), what);

        const expected = rules.find(
          (one) =>
            one.mayRevoke.length > 0 &&
            model.who(one.who, who) &&
            model.about(one, what) &&
            model.who(one.mayRevoke, owner),
        );
        expect(found).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("are not there: all is as without them", () => {
    fc.assert(
      fc.property(person, thing, wish, things, (who, what, asked, held) => {
        expect(refusalOf([], subjectOf(who), what, asked, usageOf(held))).toBeNull();
      }),
    );
  });
});

describe("a pattern", () => {
  it("holds as a regular expression of the same meaning does", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 8 });
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 }), (text, name) => {
        expect(fits(text, name)).toBe(model.glob(text, name));
      }),
      { numRuns: 2000 },
    );
  });

  it("takes no longer for many stars", () => {
    expect(fits(`${"*a".repeat(60)}b`, "a".repeat(128))).toBe(false);
  });
});
