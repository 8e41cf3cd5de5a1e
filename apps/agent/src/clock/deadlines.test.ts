import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Deadline, Deadlines } from "./deadlines.ts";

const DAY_MS = 86_400_000;

let deadlines: Deadlines;

beforeEach(() => {
  deadlines = new Deadlines();
});

afterEach(() => deadlines.close());

describe("deadlines", () => {
  it("call back in order of their times, whatever the order in which they were set and cancelled", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 15 }), isCancelled: fc.boolean() }), {
          minLength: 1,
          maxLength: 40,
        }),
        async (wishes) => {
          const start = deadlines.now();
          const fired: number[] = [];
          const set = wishes.map(({ afterMs, isCancelled }) => ({
            isCancelled,
            deadline: deadlines.at(start + afterMs, () => fired.push(afterMs)) as Deadline,
          }));
          for (const { isCancelled, deadline } of set) if (isCancelled) deadline.cancel();

          await new Promise<void>((resolve) => deadlines.at(start + 16, resolve));

          const expected = wishes.filter(({ isCancelled }) => !isCancelled).map(({ afterMs }) => afterMs);
          expect(fired).toEqual(expected.sort((a, b) => a - b));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("may be set and cancelled by one that calls back", async () => {
    const fired: string[] = [];
    let second: Deadline;
    deadlines.after(0, () => {
      second.cancel();
      deadlines.after(0, () => fired.push("third"));
      fired.push("first");
    });
    second = deadlines.after(1, () => fired.push("second"));

    await new Promise<void>((resolve) => deadlines.after(10, resolve));

    expect(fired).toEqual(["first", "third"]);
  });

  it("do not come early when they are further away than setTimeout can count", async () => {
    let isFired = false;
    deadlines.after(30 * DAY_MS, () => {
      isFired = true;
    });

    await new Promise<void>((resolve) => deadlines.after(20, resolve));

    expect(isFired).toBe(false);
  });

  it("ignore a second cancellation", () => {
    const deadline = deadlines.after(DAY_MS, () => {});
    deadlines.after(DAY_MS, () => {});

    deadline.cancel();

    expect(() => deadline.cancel()).not.toThrow();
  });
});
