import { describe, expect, it } from "vitest";
import { Argon, decoyHash } from "./argon.ts";

const CHEAP = decoyHash().replace(/m=.*?,t=.*?,p=\d+/, "m=8,t=1,p=1");

describe("argon2id", () => {
  it("compares with the decoy at the same cost as with a real hash, and finds that nothing fits", async () => {
    const argon = new Argon();
    const real = await argon.hash("correct horse battery", "me");

    const [costOfReal, costOfDecoy] = [real, decoyHash()].map((hash) => hash.split("$").slice(1, 4));

    expect(costOfDecoy).toEqual(costOfReal);
    expect(await argon.fits("", decoyHash(), "me")).toBe(false);
    expect(await argon.fits("correct horse battery", real, "me")).toBe(true);
  });

  it("is computed once at a time: who came first is done first, though the next costs less", async () => {
    const argon = new Argon();
    const done: string[] = [];

    await Promise.all([
      argon.fits("x", decoyHash(), "first").then(() => done.push("dear")),
      argon.fits("x", CHEAP, "second").then(() => done.push("cheap")),
    ]);

    expect(done).toEqual(["dear", "cheap"]);
  });

  it("has two of one source in line and sixteen in all, and turns the others away", async () => {
    const argon = new Argon();
    const of = (source: string) => argon.fits("x", CHEAP, source).catch((cause) => cause.code);

    const one = await Promise.all([of("mallory"), of("mallory"), of("mallory"), of("alice")]);
    const many = await Promise.all(Array.from({ length: 18 }, (_, i) => of(`source ${i}`)));

    expect(one).toEqual([false, false, "LIMIT", false]);
    expect(many.filter((answer) => answer === "LIMIT")).toHaveLength(2);
  });
});
