import { expect, it } from "vitest";
import { Guesses } from "./guesses.ts";

const PATIENCE = { free: 2, mostMs: 5000 };

it("a delay begins after the free failures, doubles up to its limit, and is forgotten after an hour", () => {
  let now = 0;
  const guesses = new Guesses({ now: () => now });
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    delays.push(guesses.waitMs("alice from here", PATIENCE));
    guesses.count("alice from here");
  }

  expect(delays).toEqual([0, 0, 1000, 2000, 4000, 5000, 5000]);
  expect(guesses.waitMs("alice from there", PATIENCE)).toBe(0);
  now += 5000;
  expect(guesses.waitMs("alice from here", PATIENCE)).toBe(0);
  now += 3_600_001;
  guesses.count("alice from here");
  expect(guesses.waitMs("alice from here", PATIENCE)).toBe(0);
});
