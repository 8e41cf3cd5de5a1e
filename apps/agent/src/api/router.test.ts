import { INPUTS } from "@lendbuf/shared/api";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import { expect, it } from "vitest";
import { appRouter } from "./router.ts";

it("has the procedures that clients are told of, each of the kind that they are told", () => {
  const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>;
  const kinds = Object.entries(procedures).map(([path, { _def }]) => [path, _def.type]);

  expect(Object.fromEntries(kinds)).toEqual(PROCEDURES);
  expect(Object.keys(PROCEDURES).sort()).toEqual(Object.keys(INPUTS).sort());
});
