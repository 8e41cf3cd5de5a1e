// docs/reference.md and docs/api.schema.json, written from what the router takes: from the schemas that it parses by, and from its procedures' kinds.
import { readFileSync } from "node:fs";
import { INPUTS, type Method } from "@lendbuf/shared/api";
import { PERMISSIONS } from "@lendbuf/shared/permissions";
import { FD_METHODS } from "@lendbuf/shared/procedures";
import type { AnyTRPCProcedure } from "@trpc/server";
import { z } from "zod";
import { appRouter } from "../src/api/router.ts";

export const DOCS = new URL("../../../docs/", import.meta.url);
const PROCEDURES = appRouter._def.procedures as unknown as Record<string, AnyTRPCProcedure>;
const METHODS = Object.keys(INPUTS) as Method[];
const OVER_HTTP = { query: "GET", mutation: "POST", subscription: "WebSocket" };

export const REGENERATE = "node scripts/run-ts.mjs apps/agent/test/write-reference.ts";

/** What each file of docs/ that is written by a program should have in it. */
export function generatedDocs(): { file: string; text: string }[] {
  return [
    { file: "reference.md", text: reference() },
    { file: "api.schema.json", text: `${JSON.stringify(schemas(), null, 2)}\n` },
  ];
}

function reference(): string {
  const nouns = [...new Set(METHODS.map((method) => method.split(".")[0]!))];
  return `# Reference

Every method of the agent at a glance. Written by a program from the schemas that the agent parses by: change those, then run \`${REGENERATE}\`.
What each does and what it refuses is in [the protocol](protocol.md#methods); the exact inputs, for programs, are JSON Schemas in [api.schema.json](api.schema.json).

Inputs in **bold** are needed, the others have the default that is shown, or none. Over the [socket](protocol.md) all methods are called by their names; the second
column is how [over HTTP](http.md): GET or POST to \`/trpc/METHOD\`, a subscription through the WebSocket, – where only the socket has it. The third is the least [role](accounts.md) that may call it, and the least for which it also works on what others have. An output without a link is explained with its method.
${nouns.map(tableOf).join("")}`;
}

function tableOf(noun: string): string {
  const rows = METHODS.filter((method) => method.startsWith(`${noun}.`)).map(rowOf);
  return `
## ${noun}

| method | HTTP | role | input | output |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

function rowOf(method: Method): string {
  const name = `[\`${method}\`](protocol.md#${method.toLowerCase().replace(".", "")})`;
  const door = FD_METHODS.includes(method) ? "–" : OVER_HTTP[PROCEDURES[method]!._def.type as keyof typeof OVER_HTTP];
  const fields = fieldsOf(method).map(wordsOf).join("<br>");
  return `| ${name} | ${door} | ${roleOf(method)} | ${fields || "–"} | ${outputOf(method)} |`;
}

function roleOf(method: Method): string {
  const { role, others } = PERMISSIONS[method];
  return others === undefined ? role : `${role}; for others ${others}`;
}

interface Field {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Field[];
  items?: Field;
  properties?: Record<string, Field>;
  default?: unknown;
}

function fieldsOf(method: Method): { name: string; field: Field; isNeeded: boolean }[] {
  const { properties = {}, required = [] } = schemaOf(method) as {
    properties?: Record<string, Field>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, field]) => ({ name, field, isNeeded: required.includes(name) }));
}

function wordsOf({ name, field, isNeeded }: { name: string; field: Field; isNeeded: boolean }): string {
  const preset = field.default === undefined ? "" : ` = \`${JSON.stringify(field.default)}\``;
  return `${isNeeded ? `**\`${name}\`**` : `\`${name}\``}: ${typeOf(field)}${preset}`;
}

/** A word or two for people; the schema says it exactly. */
function typeOf(field: Field): string {
  if (field.anyOf) return field.anyOf.map(typeOf).join(" or ");
  if (field.enum) return field.enum.map((choice) => `\`${choice}\``).join(" ");
  if (field.type === "array") return `[${typeOf(field.items!)}, …]`;
  if (field.properties) return `{${Object.keys(field.properties).join(", ")}}`;
  return field.type ?? "any";
}

/** From its source, as types leave nothing behind to ask; a type that docs/protocol.md explains is a link to it. */
function outputOf(method: Method): string {
  const source = readFileSync(new URL("../../../packages/shared/src/api.ts", import.meta.url), "utf8");
  const type = new RegExp(`^ {2}"${method}": (.*);$`, "m").exec(source.split("interface Outputs {")[1]!)![1]!;
  const explained = [...readFileSync(new URL("protocol.md", DOCS), "utf8").matchAll(/^### (\w+)$/gm)].map(
    ([, name]) => name!,
  );
  const escaped = type.replaceAll("<", "&lt;");
  return escaped.replaceAll(/\w+/g, (word) =>
    explained.includes(word) ? `[${word}](protocol.md#${word.toLowerCase()})` : word,
  );
}

function schemas(): object {
  const methods = METHODS.map((method) => {
    const { $schema, ...schema } = schemaOf(method);
    return [method, schema];
  });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", $defs: Object.fromEntries(methods) };
}

function schemaOf(method: Method): Record<string, unknown> {
  return z.toJSONSchema(INPUTS[method], { io: "input" }) as Record<string, unknown>;
}
