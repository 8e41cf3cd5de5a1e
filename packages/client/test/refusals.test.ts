// What real agents refuse, and the words of those that they seldom do.
import { AgentError, ERROR_CODES } from "@lendbuf/shared/errors";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { type AgentProcess, startAgent } from "../../../apps/agent/test/harness.ts";
import type { Connection } from "../src/connection.ts";
import { errorFromWire } from "../src/errors.ts";
import * as refusals from "../src/refusals.ts";

const { Busy, NotFound, BadInput, Ended, Internal, AlreadyExists, Overlap } = refusals;
const CLASSES = new Map<string, unknown>(Object.entries(refusals));

describe("a refusal by a real agent", () => {
  let agent: AgentProcess;
  let connection: Connection;

  beforeAll(async () => {
    agent = await startAgent();
    connection = await agent.connect();
  });
  afterAll(() => agent?.stop());

  it("is of its code's class", async () => {
    const lease = await connection.borrow("sim0/ddr");
    const { id } = lease.delegation;
    const lab = { device: "sim0", region: 2, ranges: [{ offset: 4 << 20, length: 4096 }] };
    await connection.call("buffers.define", { name: "lab/one", ...lab });

    await expect(connection.borrow("sim0/ddr")).rejects.toBeInstanceOf(Busy);
    await expect(connection.borrow("sim0/none")).rejects.toBeInstanceOf(NotFound);
    await expect(connection.borrow("//")).rejects.toBeInstanceOf(BadInput);
    await expect(connection.call("buffers.define", { name: "lab/one", ...lab })).rejects.toBeInstanceOf(AlreadyExists);
    await expect(connection.call("buffers.define", { name: "lab/two", ...lab })).rejects.toBeInstanceOf(Overlap);
    await lease.release();
    await expect(connection.call("delegations.extend", { id, byMs: 1000 })).rejects.toBeInstanceOf(Ended);
  });

  it("reaches a subscription's reader likewise", async () => {
    const feed = connection.subscribe("delegations.follow", { id: 999 });

    await expect(feed.next()).rejects.toBeInstanceOf(NotFound);
  });
});

describe("a code", () => {
  it.each(ERROR_CODES)("%s has a class of its own, which is named like it", (code) => {
    const error = errorFromWire({ code: -32000, message: "why", data: { code } });
    const name = code.toLowerCase().replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());

    expect(error.constructor).toBe(CLASSES.get(name));
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code, message: "why" });
  });

  it("that nobody knows is INTERNAL", () => {
    expect(errorFromWire({ code: -32000, message: "why", data: { code: "NEW" } })).toBeInstanceOf(Internal);
  });

  it("is known to the types", () => {
    const error = new Overlap("why");

    expectTypeOf(error.code).toEqualTypeOf<"OVERLAP">();
    expect(error.code).toBe("OVERLAP");
  });
});
