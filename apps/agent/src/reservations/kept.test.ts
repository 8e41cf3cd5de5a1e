import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Drains } from "../devices/drains.ts";
import { dropOld } from "../store/retention.ts";
import { Store } from "../store/store.ts";
import { Book } from "./book.ts";
import type { Booking } from "./record.ts";

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-kept-"));
  store = new Store({ directory, durability: "NORMAL" });
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

/** What the entries that are left replay to, in books of their own. */
function replayed(of: Store): { booked: Booking[]; drained: [string, unknown][] } {
  const fresh = mkdtempSync(join(tmpdir(), "lendbuf-kept-"));
  const copy = new Store({ directory: fresh, durability: "NORMAL" });
  for (const { at, actor, action, buffer, account, detail } of of.all<{
    at: number;
    actor: string;
    action: string;
    buffer: string | null;
    account: string | null;
    detail: string;
  }>("SELECT * FROM audit WHERE action <> 'audit.anchored' ORDER BY seq"))
    copy.record({
      at,
      actor,
      action,
      ...(buffer && { buffer }),
      ...(account && { account }),
      detail: JSON.parse(detail) as object,
    });
  const found = { booked: new Book(copy).inOrder(), drained: new Drains(copy).all() };
  copy.close();
  rmSync(fresh, { recursive: true });
  return found;
}

it("reservations to come and drains outlive the audit's old entries", async () => {
  const book = new Book(store);
  const drains = new Drains(store);
  const fields = { buffer: "sim0/ch0", account: "alice", requestedBy: "alice", state: "booked" } as const;
  const times = { from: 2e12, to: 2e12 + 3_600_000, createdAt: Date.now(), delegation: null };
  const wish = {
    access: "read-write",
    share: "exclusive",
    keep: false,
    purpose: "calibration",
    exporter: null,
  } as const;
  const kept = book.create({ ...fields, ...times, ...wish }, "alice");
  book.end(book.create({ ...fields, ...times, ...wish, from: 3e12, to: 4e12 }, "alice"), "cancelled", "alice");
  drains.begin("sim0", { reason: "new firmware", by: "root", since: Date.now(), until: null }, "root");
  const before = { booked: book.inOrder(), drained: drains.all() };

  const dropped = await dropOld(store, Date.now() + 1, []);

  expect(dropped).toBe(4);
  expect(before).toMatchObject({ booked: [{ id: kept.id }], drained: [["sim0", { reason: "new firmware" }]] });
  expect({ booked: new Book(store).inOrder(), drained: new Drains(store).all() }).toEqual(before);
  expect(replayed(store)).toEqual(before);
});
