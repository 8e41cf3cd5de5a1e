import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { INPUTS, type Method } from "@lendbuf/shared/api";
import { END_REASONS, STATES } from "@lendbuf/shared/delegation";
import { ERROR_CODES } from "@lendbuf/shared/errors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type AgentProcess, startAgent, temporaryFolder, until } from "./harness.ts";
import { differenceOf, fieldsOf, namesIn, programOf, rowsUnder, type Step, stepsOf } from "./protocol-document.ts";
import type { RawClient } from "./raw-client.ts";

const METHODS = Object.keys(INPUTS) as Method[];
const STEPS = stepsOf();

interface Field {
  type?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

function inputFieldsOf(method: Method): [name: string, field: Field, isNeeded: boolean][] {
  const schema = z.toJSONSchema(INPUTS[method], { io: "input" }) as {
    properties?: Record<string, Field>;
    required?: string[];
  };
  return Object.entries(schema.properties ?? {}).map(([name, field]) => [
    name,
    field,
    schema.required?.includes(name) ?? false,
  ]);
}

describe("docs/protocol.md", () => {
  it.each(METHODS)("has all fields of %s, with defaults and limits", (method) => {
    const rows = new Map(rowsUnder(method).map((cells) => [namesIn(cells[0]!)[0]!, cells]));
    const fields = inputFieldsOf(method);

    expect([...rows.keys()].sort()).toEqual(fields.map(([name]) => name).sort());
    for (const [name, field, isNeeded] of fields) {
      const [, type, preset, limits] = rows.get(name)!;
      expect(preset === "needed", `${method} ${name}: needed?`).toBe(isNeeded);
      if (field.default !== undefined && field.default !== "") expect(preset).toContain(String(field.default));
      for (const choice of field.enum ?? []) if (!type!.startsWith("as for")) expect(type).toContain(`\`${choice}\``);
      if (type === "name" || type === "id" || limits!.startsWith("as for")) continue;
      const bounds = [field.minimum, field.maximum, field.maxLength, field.minItems, field.maxItems];
      for (const bound of bounds) {
        if (bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER)
          expect(limits, `${method} ${name}`).toContain(String(bound));
      }
    }
  });

  it("plays every method", () => {
    const played = STEPS.filter(({ from }) => from === "client").map(
      ({ text }) => /"method": "([^"]+)"/.exec(text ?? "")?.[1],
    );

    expect(METHODS.filter((method) => !played.includes(method))).toEqual([]);
  });

  it("has every error code, state and reason", () => {
    const codes = rowsUnder("Requests, replies, errors").flatMap(([cell]) => namesIn(cell!));
    const life = rowsUnder("A delegation's life").flatMap(([cell]) => namesIn(cell!));

    expect(codes.sort()).toEqual([...ERROR_CODES].sort());
    expect(life.sort()).toEqual([...STATES, ...Object.keys(END_REASONS)].sort());
  });

  it.each([
    ["Delegation", "delegation"],
    ["Revocation", "delegation"],
    ["Reservation", "reservation"],
    ["Proof", "delegation"],
    ["Occupancy", "buffer"],
    ["Contents", "buffer"],
    ["Peeked", "buffer"],
    ["Poked", "buffer"],
    ["Visibility", "holder"],
    ["Holder", "holder"],
    ["DmaBuf", "holder"],
    ["Identity", "session"],
    ["LoginLink", "session"],
    ["Session", "session"],
    ["Token", "session"],
    ["Account", "account"],
    ["Rule", "rule"],
    ["Explanation", "rule"],
    ["RuleAnswer", "rule"],
    ["Reloaded", "rule"],
    ["Device", "device"],
    ["Capability", "device"],
    ["Status", "status"],
    ["Diagnosis", "doctor"],
    ["Finding", "doctor"],
    ["AuditEntry", "audit"],
    ["AuditVerdict", "audit"],
    ["AuditHead", "audit"],
    ["Who", "audit"],
    ["Holding", "audit"],
    ["Page", "api"],
    ["Claimed", "api"],
  ])("has all fields of the type %s", (type, file) => {
    expect(fieldsOf(type).sort()).toEqual(declared(type, file).sort());
  });

  it("has all fields of the types that are Visibilities too", () => {
    const seen = declared("Visibility", "holder");

    expect(fieldsOf("Holders").sort()).toEqual([...declared("Holders", "holder"), ...seen].sort());
    expect(fieldsOf("DmaBufs").sort()).toEqual([...declared("Page", "api"), ...seen].sort());
  });

  it("has all fields of the type BufferView", () => {
    const parts = ["BufferDefinition", "Occupancy", "BufferView"].flatMap((type) => declared(type, "buffer"));

    expect(fieldsOf("BufferView").sort()).toEqual([...new Set(parts)].sort());
  });
});

/** The fields of an interface, from its source: types leave nothing behind that a test could ask. */
function declared(type: string, file: string): string[] {
  const source = readFileSync(new URL(`../../../packages/shared/src/${file}.ts`, import.meta.url), "utf8");
  const body = source.split(new RegExp(`^export interface ${type}\\b[^\\n]*\\{$`, "m"))[1]!.split("\n}")[0]!;
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name!);
}

describe("its packets", () => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await startAgent();
  });

  afterAll(() => agent?.stop());

  it("are what the agent answers", async () => {
    const observer = await agent.connect();
    const clients = new Map<string, RawClient>();
    for (const step of STEPS) {
      let client = clients.get(step.connection);
      if (!client) clients.set(step.connection, (client = agent.raw()));
      if (step.from === "agent") await compare(client, step);
      else if (step.text !== undefined) client.send(step.text);
      else {
        client.close();
        clients.delete(step.connection);
        const open = 1 + [...clients.values()].length;
        await until(
          async () => (await observer.call("status.get")).counts.clients <= open,
          "the agent has seen the connection's end",
        );
      }
      if (step.from === "agent" && step.text === undefined) clients.delete(step.connection);
    }
  });

  it("and its programs run", async () => {
    const folder = temporaryFolder();
    try {
      writeFileSync(join(folder, "client.c"), programOf("c"));
      execFileSync("cc", [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O2",
        "-o",
        join(folder, "client"),
        join(folder, "client.c"),
      ]);

      const python = execFileSync("python3", ["-c", programOf("python"), agent.socket], { encoding: "utf8" });
      const c = execFileSync(join(folder, "client"), [agent.socket], { encoding: "utf8" });

      expect(python).toMatch(/^first samples: [0-9a-f ]+\nended as: revoked\nnow: Bad address\n$/);
      expect(c).toMatch(/^first sample: -?\d+\n$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Events that the document does not show are left out: more or fewer states may be seen than it has. */
async function compare(client: RawClient, step: Step): Promise<void> {
  const where = `docs/protocol.md:${step.line}`;
  const shown = step.text === undefined ? undefined : JSON.parse(step.text);
  for (;;) {
    const next = await client.next();
    if ("closed" in next) {
      if (shown !== undefined) throw new Error(`${where}: the agent closed the connection (${next.error?.code})`);
      return;
    }
    const difference = shown === undefined ? "the connection goes on" : differenceOf(shown, next.json);
    if (difference && next.json.method === "event") continue;
    if (difference) throw new Error(`${where}: ${difference}\n  answer: ${next.text}`);
    expect(next.fds.length, where).toBe(step.fds);
    return;
  }
}
