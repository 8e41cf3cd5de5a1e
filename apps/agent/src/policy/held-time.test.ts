import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Store } from "../store/store.ts";
import { HeldTime, WEEK_MS } from "./held-time.ts";

const HOUR = 3_600_000;
/** Some full hour. */
const NOW = 500_000 * HOUR;
const all = () => true;

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-held-"));
  store = new Store({ directory, durability: "NORMAL" });
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

const ended = (claimedAt: number, endedAt: number, more = {}) => ({
  account: "alice",
  buffer: "a/1",
  claimedAt,
  endedAt,
  expiresAt: claimedAt + 10 * HOUR,
  leaseMs: 10 * HOUR,
  ...more,
});

describe("the time that an account had buffers in the last seven days", () => {
  it("is the sum over what has ended, of the buffers that are meant", () => {
    const held = new HeldTime(store);
    held.begin(NOW);
    held.add(ended(NOW - 5 * HOUR, NOW - 2 * HOUR), NOW);
    held.add(ended(NOW - 1.5 * HOUR, NOW - 0.25 * HOUR, { buffer: "b/1" }), NOW);
    held.add(ended(NOW - HOUR, NOW, { account: "bob" }), NOW);

    expect(held.of("alice", all, NOW)).toBe(4.25 * HOUR);
    expect(held.of("alice", (buffer) => buffer === "b/1", NOW)).toBe(1.25 * HOUR);
    expect(held.of("carol", all, NOW)).toBe(0);
  });

  it("leaves out what is a week ago, hour by hour", () => {
    const held = new HeldTime(store);
    held.begin(NOW);
    held.add(ended(NOW - WEEK_MS - 5 * HOUR, NOW - WEEK_MS + 3 * HOUR), NOW);
    held.add(ended(NOW - WEEK_MS - 5 * HOUR, NOW - WEEK_MS), NOW);

    expect(held.of("alice", all, NOW)).toBe(3 * HOUR);
    expect(held.of("alice", all, NOW + 2 * HOUR)).toBe(HOUR);
    expect(held.of("alice", all, NOW + 4 * HOUR)).toBe(0);
  });

  it("begins with the lease, also of one that was claimed again", () => {
    const held = new HeldTime(store);
    held.begin(NOW);
    held.add(ended(NOW - HOUR, NOW, { expiresAt: NOW + 4 * HOUR, leaseMs: 8 * HOUR }), NOW);

    expect(held.of("alice", all, NOW)).toBe(4 * HOUR);
  });

  it("is taken from the books when it is asked for the first time; what was never claimed counts nothing", () => {
    const write = (id: number, record: object) =>
      store.record({
        at: NOW,
        actor: "test",
        action: "test",
        delegation: id,
        buffer: "a/1",
        account: "alice",
        state: "revoked",
        detail: record,
      });
    write(1, { claimedAt: NOW - 3 * HOUR, endedAt: NOW - HOUR, expiresAt: NOW, leaseMs: 3 * HOUR });
    write(2, { endedAt: NOW });
    const held = new HeldTime(store);
    held.add(ended(NOW - HOUR, NOW), NOW);

    expect(held.of("alice", all, NOW)).toBe(0);
    held.begin(NOW);
    held.begin(NOW);
    held.load(NOW);

    expect(held.of("alice", all, NOW)).toBe(2 * HOUR);
  });
});
