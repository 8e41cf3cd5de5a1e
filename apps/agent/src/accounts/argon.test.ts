import { describe, expect, it } from "vitest";
import { Argon, decoyHash } from "./argon.ts";

describe("argon2id", () => {
  it("compares with the decoy at the same cost as with a real hash, and finds that nothing fits", async () => {
    const argon = new Argon();
    const real = await argon.hash("correct horse battery", "me");

    const [costOfReal, costOfDecoy] = [real, decoyHash()].map((hash) => hash.split("$").slice(1, 4));

    expect(costOfDecoy).toEqual(costOfReal);
    expect(await argon.fits("", decoyHash(), "me")).toBe(false);
    expect(await argon.fits("correct horse battery", real, "me")).toBe(true);
  });

  it("has two of one source in line and sixteen in all, and turns the others away", async () => {
    const argon = new Argon();
    const cheap = decoyHash().replace(/m=.*?,t=.*?,p=\d+/, "m=8,t=1,p=1");
    const of = (source: string) => argon.fits("x", cheap, source).catch((cause) => cause.code);

    const one = await Promise.all([of("mallory"), of("mallory"), of("mallory"), of("alice")]);
    const many = await Promise.all(Array.from({ length: 18 }, (_, i) => of(`source ${i}`)));

    expect(one).toEqual([false, false, "LIMIT", false]);
    expect(many.filter((answer) => answer === "LIMIT")).toHaveLength(2);
  });
});
