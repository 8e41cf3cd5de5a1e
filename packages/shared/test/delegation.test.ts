import { describe, expect, it } from "vitest";
import {
  COMMAND_TABLE,
  COMMANDS,
  END_REASONS,
  isFinal,
  isState,
  mayFollow,
  outcomeOf,
  STATES,
  TRANSITIONS,
} from "../src/delegation.ts";

describe("the life of a delegation", () => {
  it.each(COMMANDS.flatMap((command) => STATES.map((state) => [command, state] as const)))(
    "%s in state %s leads to a state that may follow, or is refused",
    (command, state) => {
      const outcome = outcomeOf(command, state);

      if (isState(outcome)) expect(outcome === state || mayFollow(state, outcome)).toBe(true);
      else expect(["ENDED", "NOT_READY"]).toContain(outcome);
    },
  );

  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))(
    "%s → %s is allowed as the design draws it",
    (from, to) => {
      const drawn = [
        "waiting offered",
        "waiting cancelled",
        "offered active",
        "offered cancelled",
        "active active",
        "active revoking",
        "revoking revoked",
      ];

      expect(mayFollow(from, to)).toBe(drawn.includes(`${from} ${to}`));
    },
  );

  it("never calls anything revoked that was not revoking before", () => {
    const before = STATES.filter((state) => mayFollow(state, "revoked"));

    expect(before).toEqual(["revoking"]);
  });

  it("lets nothing follow an end", () => {
    expect(STATES.filter(isFinal)).toEqual(["revoked", "cancelled"]);
    for (const command of COMMANDS) {
      for (const state of STATES.filter(isFinal)) {
        const outcome = outcomeOf(command, state);
        expect(outcome === state || outcome === "ENDED").toBe(true);
      }
    }
  });

  it("can end every state that is not final, and none that is by a reason", () => {
    const ended = new Set(Object.values(END_REASONS).flat());

    expect([...ended].sort()).toEqual(["active", "offered", "waiting"]);
    for (const state of ["waiting", "offered", "active"] as const) {
      expect(TRANSITIONS[state].some((next) => next === "cancelled" || next === "revoking")).toBe(true);
      expect(COMMAND_TABLE.revoke[state]).toBe(state === "active" ? "revoking" : "cancelled");
    }
  });
});
