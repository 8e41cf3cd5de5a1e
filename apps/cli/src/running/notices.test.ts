import type { Delegation } from "@lendbuf/shared/delegation";
import { describe, expect, it } from "vitest";
import { isEndingElsewhere, noticeOf } from "./notices.ts";

const now = Date.now();
const active = {
  id: 7,
  buffer: "sim0/ch0",
  state: "active",
  reason: null,
  expiresAt: now + 3_600_000,
  ending: null,
  revocation: null,
  proof: null,
  suspended: false,
  unrecorded: false,
} as Delegation;
const revocation = { attempts: 1, method: "ftruncate", lastErrno: null, waitingFor: null, unproven: false, since: now };
const revoking = { ...active, state: "revoking", reason: "operator", revocation } as Delegation;
const stuck = {
  ...revoking,
  revocation: { ...revocation, attempts: 3, lastErrno: "EBUSY", waitingFor: "an importer to let go" },
} as Delegation;
const proof = { method: "ftruncate", scope: "buffer", by: "warden", answer: "0", probe: "size 0", durationUs: 90 };
const revoked = { ...active, state: "revoked", reason: "operator", proof } as Delegation;

describe("whoever uses the memory hears", () => {
  it.each([
    ["of a device that went to sleep", active, { ...active, suspended: true }, /is suspended: out of reach/],
    ["that it is back", { ...active, suspended: true }, active, /sim0\/ch0 is back/],
    ["of more time", active, { ...active, expiresAt: now + 7_200_000 }, /now ends in 2h/],
    [
      "of the lease's end",
      active,
      { ...active, ending: { reason: "expired", at: now + 60_000, told: 1 } },
      /ends in 1m\. To go on: lendbuf extend 7 1h/,
    ],
    [
      "of an operator's plan",
      active,
      { ...active, ending: { reason: "operator", at: now + 60_000, told: 1 } },
      /in 1m \(operator\)/,
    ],
    [
      "that the plan was dropped",
      { ...active, ending: { reason: "operator", at: now, told: 1 } },
      active,
      /not be taken back after all/,
    ],
    [
      "on what an end waits",
      revoking,
      stuck,
      /being taken back \(operator; waits: an importer to let go; ftruncate answered EBUSY\)/,
    ],
    ["how it ended", revoking, revoked, /taken back \(operator; ftruncate, size 0, 0\.09 ms\)/],
  ] as [string, Delegation, Delegation, RegExp][])("%s", (_name, before, after, said) => {
    expect(noticeOf(before, after)).toMatch(said);
  });
});

it.each([
  ["nothing changed", active, active],
  ["an end has only begun", active, revoking],
  ["it was told already", stuck, stuck],
  ["it gave the memory back itself", active, { ...revoked, reason: "released" } as Delegation],
])("hears nothing where %s", (_name, before, after) => {
  expect(noticeOf(before, after)).toBeUndefined();
});

it("giving back is no end from elsewhere", () => {
  expect(isEndingElsewhere(revoked)).toBe(true);
  expect(isEndingElsewhere({ ...revoked, reason: "released" })).toBe(false);
  expect(isEndingElsewhere(active)).toBe(false);
});
