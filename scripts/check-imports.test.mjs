import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { checkImports } from "./check-imports.mjs";

const made = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** A checkout that has only these files. */
function checkout(files) {
  const root = mkdtempSync(join(tmpdir(), "lendbuf-imports-"));
  made.push(root);
  const manifests = {
    "apps/agent/package.json": {
      name: "@lendbuf/agent",
      dependencies: { "@lendbuf/native": "0.1.0", "@lendbuf/shared": "0.1.0" },
    },
    "packages/native/package.json": { name: "@lendbuf/native" },
    "packages/shared/package.json": { name: "@lendbuf/shared", dependencies: { zod: "1.0.0" } },
  };
  for (const [path, manifest] of Object.entries(manifests)) write(root, path, JSON.stringify(manifest));
  for (const [path, text] of Object.entries(files)) write(root, path, text);
  return root;
}

function write(root, path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe("the import check", () => {
  it("is content with imports that point downward", () => {
    const root = checkout({
      "apps/agent/src/agent.ts":
        'import { serve } from "./api/server.ts";\nimport { listen } from "./broker/broker.ts";\n',
      "apps/agent/src/api/server.ts": 'import { end } from "../revocation/end.ts";\nexport const serve = end;\n',
      "apps/agent/src/broker/broker.ts":
        'import { addon } from "@lendbuf/native/addon";\nexport const listen = addon;\n',
      "apps/agent/src/revocation/end.ts": 'import { State } from "@lendbuf/shared/state";\nexport const end = State;\n',
      "packages/native/src/addon.ts": "export const addon = 1;\n",
      "packages/shared/src/state.ts": 'import { z } from "zod";\nexport const State = z;\n',
    });

    expect(checkImports(root)).toEqual([]);
  });

  it.each([
    [
      "a package that imports an app",
      "packages/native/src/a.ts",
      'import "../../../apps/agent/src/log.ts";',
      "native may not import agent base",
    ],
    [
      "one door that imports the other",
      "apps/agent/src/api/a.ts",
      'import { b } from "../broker/b.ts";',
      "agent api may not import agent broker",
    ],
    [
      "a buffer that imports a door",
      "apps/agent/src/buffers/a.ts",
      'import { b } from "../api/b.ts";',
      "agent buffers may not import agent api",
    ],
    [
      "a domain folder that imports native",
      "apps/agent/src/revocation/a.ts",
      'import { b } from "@lendbuf/native/addon";',
      "may not import native",
    ],
    [
      "a type alone",
      "apps/agent/src/store/a.ts",
      'import type { B } from "../delegations/b.ts";',
      "may not import agent delegations",
    ],
    [
      "a type in an expression",
      "apps/agent/src/store/a.ts",
      'type B = import("../delegations/b.ts").B;',
      "may not import agent delegations",
    ],
    [
      "a re-export over several lines",
      "apps/agent/src/store/a.ts",
      'export {\n  b,\n} from "../delegations/b.ts";',
      "may not import agent delegations",
    ],
    [
      "Node in what a browser uses too",
      "packages/shared/src/a.ts",
      'import { readFileSync } from "node:fs";',
      "shared imports zod only",
    ],
    [
      "a package that is not declared",
      "apps/agent/src/api/a.ts",
      'import { x } from "left-pad";',
      "does not declare left-pad",
    ],
  ])("finds %s", (_, path, text, rule) => {
    const problems = checkImports(checkout({ [path]: `// first line\n${text}\n` }));

    expect(problems).toEqual([expect.stringContaining(rule)]);
    expect(problems[0]).toMatch(new RegExp(`^${path}:\\d+: `));
  });

  it("names the file and the line of each step of a cycle", () => {
    const root = checkout({
      "packages/shared/src/a.ts": 'import { b } from "./b.ts";\nexport const a = b;\n',
      "packages/shared/src/b.ts": '\nimport type { C } from "./c.ts";\nexport const b: C = 1;\n',
      "packages/shared/src/c.ts": 'import { a } from "./a.ts";\nexport type C = typeof a;\n',
    });

    const problems = checkImports(root);

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("packages/shared/src/b.ts:2 imports packages/shared/src/c.ts");
  });

  it("asks where a folder that nobody has placed belongs", () => {
    expect(checkImports(checkout({ "apps/agent/src/helpers/a.ts": "export {};\n" }))).toEqual([
      expect.stringContaining("belongs to no area"),
    ]);
  });
});
