import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { expect, it } from "vitest";
import { bufferRows, grouped, matchesFilter, matchesSearch } from "../src/features/now/rows.ts";

const buffer = (name: string): BufferView => ({
  name,
  device: name.split("/")[0]!,
  region: 2,
  ranges: [{ offset: 0, length: 4096 }],
  share: "exclusive",
  scrub: "none",
  tags: [],
  description: "a ring",
  state: "free",
  current: [],
  occupied: 0,
  waiting: 0,
  held: null,
  size: 4096,
  builtin: true,
});

const delegation = (fields: Partial<Delegation>): Delegation =>
  ({
    id: 1,
    buffer: "sim0/a",
    account: "uid:7",
    state: "active",
    revocation: null,
    suspended: false,
    renews: null,
    expiresAt: 5,
    ...fields,
  }) as Delegation;

const rowsOf = (items: Delegation[], recent: Delegation[] = []) =>
  bufferRows([buffer("sim0/a"), buffer("sim1/b")], { items: [], total: 0 }, { items, total: items.length, recent });

it("a buffer is as its delegations are, and free without", () => {
  const [a, b] = rowsOf([delegation({})]);

  expect(a).toMatchObject({ state: "lent", account: "uid:7", expiresAt: 5 });
  expect(b).toMatchObject({ state: "free", account: null });
});

it("who holds a buffer comes before who is still being taken off it", () => {
  const [a] = rowsOf([delegation({ id: 1, state: "revoking" }), delegation({ id: 2 })]);

  expect(a!.state).toBe("lent");
  expect(a!.holders.map(({ id }) => id)).toEqual([2, 1]);
  expect(matchesFilter(a!, "revoking")).toBe(true);
});

it("an end that nobody can prove is trouble, never revoked", () => {
  const unproven = { attempts: 1, method: null, lastErrno: null, waitingFor: null, unproven: true, since: 0 };

  const [a] = rowsOf([delegation({ state: "revoking", revocation: unproven })]);

  expect(a!.state).toBe("unproven");
  expect(matchesFilter(a!, "trouble")).toBe(true);
});

it("a buffer in use by those whom the caller may not see is not free", () => {
  const taken = { name: "sim0/a", state: "lent", current: [], occupied: 2, waiting: 0, held: null } as const;

  const [a] = bufferRows([buffer("sim0/a")], { items: [{ ...taken, current: [] }], total: 1 }, undefined);

  expect(a).toMatchObject({ state: "lent", hidden: 2, account: null });
});

it("a search finds names, accounts, commands, purposes, and ids as a whole", () => {
  const [a, b] = rowsOf([
    delegation({ id: 12, purpose: "Night run", client: { pid: 99, uid: 7, command: "capture" } }),
  ]);

  for (const words of ["sim0/a", "uid:7", "night", "capt", "12", "99"]) expect(matchesSearch(a!, words)).toBe(true);
  expect(matchesSearch(a!, "1")).toBe(false);
  expect(matchesSearch(b!, "uid:7")).toBe(false);
});

it("rows stand below their device, and each of several sharers has one", () => {
  const rows = grouped(rowsOf([delegation({ id: 1 }), delegation({ id: 2 })]), []);

  expect(rows.map(({ key }) => key)).toEqual([
    "device sim0",
    "sim0/a",
    "delegation 1",
    "delegation 2",
    "device sim1",
    "sim1/b",
  ]);
});
