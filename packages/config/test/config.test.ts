import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { differences } from "../src/changes.ts";
import { type Config, readConfig } from "../src/config.ts";
import { ConfigError } from "../src/config-error.ts";

const UID = 1234;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-config-"));
  file = join(folder, "agent.toml");
});

afterEach(() => rmSync(folder, { recursive: true }));

function read(text: string, args: string[] = [], environment: Record<string, string> = {}): Config {
  writeFileSync(file, text);
  const config = readConfig(["--config", file, ...args], environment, UID);
  if (config === "help") throw new Error("help was not asked for");
  return config;
}

/** All that is wrong, each line without the file's folder. */
function problemsOf(text: string): string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => problem.replaceAll(`${folder}/`, ""));
  }
}

describe("a configuration file", () => {
  it("sets what neither the command line nor the environment does", () => {
    const text =
      'port = 1\nmax-lease = "8h"\nnotice = "2m"\nsimulated = false\ndevices = ["0000:01:00.0", "0000:02:00.0"]\n';

    const config = read(text, ["--port", "3"], { LENDBUF_PORT: "2", LENDBUF_NOTICE: "5m" });

    expect(config).toMatchObject({ file, port: 3, noticeMs: 300_000, maxLeaseMs: 8 * 3_600_000, offerMs: 120_000 });
    expect(config.devices).toMatchObject({ simulated: false, pci: ["0000:01:00.0", "0000:02:00.0"] });
  });

  it("gives roles to groups, names accounts and has rules, in their order", () => {
    const config = read(`
[groups]
lab = "member"
"lab-ops" = "operator"

[accounts.alice]
role = "operator"
uids = [1001]

[accounts."ci.nightly"]
kind = "service"
disabled = true

[[rules]]
name = "b"
who = "role:member"
buffers = ["fpga/*", "!fpga/regs"]
max-lease = "2h"
max-at-once = 2

[[rules]]
name = "a"
allow = false
may-revoke = ["group:lab"]
`);

    expect([...config.groupRoles]).toEqual([
      ["lab", "member"],
      ["lab-ops", "operator"],
    ]);
    expect(config.accounts).toMatchObject([
      { name: "alice", role: "operator", kind: "person", uids: [1001], groups: [], disabled: false, source: "config" },
      { name: "ci.nightly", role: "member", kind: "service", uids: [], disabled: true, source: "config" },
    ]);
    expect(config.rules).toMatchObject([
      {
        name: "b",
        who: ["role:member"],
        buffers: ["fpga/*", "!fpga/regs"],
        maxLeaseMs: 7_200_000,
        maxAtOnce: 2,
        allow: null,
      },
      { name: "a", who: ["*"], buffers: ["*"], allow: false, mayRevoke: ["group:lab"], source: "config" },
    ]);
  });

  it("has paths that go out from its own folder", () => {
    expect(read('state = "books"\nsocket = "run/agent.sock"\n')).toMatchObject({
      stateDirectory: join(folder, "books"),
      socketPath: join(folder, "run/agent.sock"),
    });
  });

  it("is looked for in its usual place, where none is named, and need not be there", () => {
    const environment = { XDG_CONFIG_HOME: folder };

    expect(readConfig([], environment, UID)).toMatchObject({ file: null });
    expect(readConfig([], {}, UID)).toMatchObject({ file: null });
    expect(readConfig(["--config", "none"], environment, UID)).toMatchObject({ file: null });
  });

  it("must be there where it is named", () => {
    expect(() => readConfig(["--config", file], {}, UID)).toThrow(
      /^The configuration .*agent\.toml: there is no such file\. Name another/,
    );
    expect(() => readConfig([], { LENDBUF_CONFIG: folder }, UID)).toThrow(/it cannot be read \(EISDIR\)/);
  });

  it.each<[string, string, RegExp[]]>([
    ["no TOML", "port = \n", [/^agent\.toml:1: this is no TOML/i]],
    ["the same key twice", "port = 1\nport = 2\n", [/^agent\.toml:2: /]],
    [
      "an unknown key",
      "prot = 1\n",
      [/^agent\.toml:1: "prot" is no key of the configuration\. Did you mean "port"\?$/],
    ],
    ["an unknown key like none", "colour = 1\n", [/^agent\.toml:1: "colour" is no key .* It takes port, state, /]],
    ["the file in the file", 'config = "x"\n', [/^agent\.toml:1: "config" is no key/]],
    ["a port in words", '\nport = "http"\n', [/^agent\.toml:2: port is "http"; it takes a number from 0 to 65535\.$/]],
    ["a port with a fraction", "port = 1.5\n", [/^agent\.toml:1: port is "1\.5"/]],
    ["a date", "port = 2026-01-01\n", [/^agent\.toml:1: port takes one value/]],
    ["a list of numbers", "devices = [1]\n", [/^agent\.toml:1: devices takes one value, or a list of words/]],
    ["a table for a value", "[port]\na = 1\n", [/^agent\.toml:1: port takes one value/]],
    ["a lease in words", 'max-lease = "long"\n', [/^agent\.toml:1: max-lease is "long"; it takes a time such as 90s/]],
    ["group-role", 'group-role = "a=member"\n', [/^agent\.toml:1: In a file it is a table: \[groups\]/]],
    ["groups that are no table", 'groups = "a"\n', [/^agent\.toml:1: \[groups\] takes a role for each group/]],
    [
      "a role that is none",
      '[groups]\nlab = "boss"\n',
      [/^agent\.toml:1: \[groups\] has "lab=boss"; it takes .* Roles: viewer/],
    ],
    ["accounts that are no table", "accounts = 1\n", [/^agent\.toml:1: Accounts are tables/]],
    ["an account that is no table", "[accounts]\nalice = 1\n", [/^agent\.toml:2: Account "alice" is a table/]],
    [
      "an account's unknown key",
      '[accounts.a]\nrule = "member"\n',
      [/^agent\.toml:2: "rule" is no key of an account\. Did you mean "role"\?$/],
    ],
    [
      "an account's wrong role",
      '[accounts.a]\nkind = "person"\nrole = "boss"\n',
      [/^agent\.toml:3: account "a", role: /],
    ],
    ["an account's wrong name", '[accounts.A]\nrole = "member"\n', [/^agent\.toml:1: account "A": a small letter/]],
    ["root's uid", "[accounts.a]\nuids = [0]\n", [/^agent\.toml:2: uid 0 is root, who is always an admin/]],
    ["the agent's uid", `[accounts.a]\nuids = [${UID}]\n`, [/^agent\.toml:2: uid 1234 is the agent's own/]],
    [
      "a uid twice",
      "[accounts.a]\nuids = [7]\n[accounts.b]\nuids = [7]\n",
      [/^agent\.toml:4: uid 7 is account "a" already/],
    ],
    [
      "a disabled that is no choice",
      '[accounts.a]\ndisabled = "yes"\n',
      [/^agent\.toml:2: disabled takes true or false/],
    ],
    ["rules that are no tables", "rules = [1]\n", [/^agent\.toml:1: Rules are tables/]],
    ["a rule without a name", "[[rules]]\nallow = true\n", [/^agent\.toml:1: rule 1: name: /]],
    [
      "two rules of one name",
      '[[rules]]\nname = "a"\n[[rules]]\nname = "a"\n',
      [/^agent\.toml:4: There is a rule "a" already/],
    ],
    [
      "a rule's unknown key",
      '[[rules]]\nname = "a"\nmax-leas = "2h"\n',
      [/^agent\.toml:3: "max-leas" is no key of a rule\. Did you mean "max-lease"\?$/],
    ],
    [
      "a rule's key of the API",
      '[[rules]]\nname = "a"\nmaxLeaseMs = 1\n',
      [/^agent\.toml:3: "maxLeaseMs" is no key of a rule/],
    ],
    [
      "a rule's lease in numbers",
      '[[rules]]\nname = "a"\nmax-lease = 2\n',
      [/^agent\.toml:3: rule "a": max-lease is 2; it takes a time such as "90s"/],
    ],
    [
      "a rule's choice in words",
      '[[rules]]\nname = "a"\nallow = "yes"\n',
      [/^agent\.toml:3: rule "a": allow takes true or false/],
    ],
    [
      "a rule's negative number",
      '[[rules]]\nname = "a"\nmax-at-once = -1\n',
      [/^agent\.toml:3: rule "a": max-at-once: /],
    ],
    ["a rule's fraction", '[[rules]]\nname = "a"\nmax-at-once = 1.5\n', [/^agent\.toml:3: rule "a": max-at-once: /]],
    [
      "a role that a rule misspells",
      '[[rules]]\nname = "a"\nwho = ["role:menber"]\n',
      [/^agent\.toml:3: rule "a": who: who is written \*, alice/],
    ],
    ["a list of nothing", '[[rules]]\nname = "a"\nwho = []\n', [/^agent\.toml:3: rule "a": who: /]],
    [
      "a buffer with a blank",
      '[[rules]]\nname = "a"\nbuffers = ["a b"]\n',
      [/^agent\.toml:3: rule "a": buffers: buffers are written/],
    ],
    [
      "a list that is a number",
      '[[rules]]\nname = "a"\ntags = 3\n',
      [/^agent\.toml:3: rule "a": tags takes a list of words/],
    ],
    [
      "the second of two rules",
      '[[rules]]\nname = "a"\n\n[[rules]]\nname = "b"\nallow = 1\n',
      [/^agent\.toml:6: rule "b": allow takes/],
    ],
    [
      "many things at once: all are said",
      'prot = 1\nport = "x"\nnotice = "soon"\n[accounts.a]\nrole = "boss"\n[[rules]]\nname = "A"\nallow = 1\n',
      [/:1: "prot"/, /:5: account "a"/, /:8: rule "A": allow/, /:2: port/, /:3: notice/],
    ],
  ])("with %s", (_what, text, expected) => {
    const problems = problemsOf(text);

    expect(problems).toHaveLength(expected.length);
    for (const words of expected) expect(problems).toContainEqual(expect.stringMatching(words));
  });
});

describe("the differences of two configurations", () => {
  it("name what is taken up, and what counts from the next start", () => {
    const before = read('port = 1\n[accounts.a]\n[accounts.b]\n[[rules]]\nname = "x"\n[[rules]]\nname = "y"\n');
    const after = read(
      'port = 2\nmax-lease = "1h"\nothers = "none"\n[groups]\nlab = "member"\n[accounts.a]\nrole = "admin"\n[accounts.c]\n[[rules]]\nname = "y"\n[[rules]]\nname = "x"\n[[rules]]\nname = "z"\n',
    );

    expect(differences(before, after)).toEqual({
      changed: ["max-lease", "others", "groups", "accounts.a", "accounts.b", "accounts.c", "rules.z", "order of rules"],
      needsRestart: ["port"],
    });
    expect(differences(before, before)).toEqual({ changed: [], needsRestart: [] });
  });
});
