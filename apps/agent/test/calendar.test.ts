import type { Connection } from "@lendbuf/client/connection";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door } from "./door-client.ts";
import { type AgentProcess, startAgent } from "./harness.ts";

const HOUR_MS = 3_600_000;

let agent: AgentProcess;
let client: Connection;
let door: Door;
let path: string;

beforeAll(async () => {
  agent = await startAgent();
  client = await agent.connect();
  door = new Door(agent);
  const { token } = await client.call("tokens.create", { name: "phone", scope: "calendar" });
  path = `/calendar.ics?token=${token}`;
});
afterAll(() => agent.stop());

/** As RFC 5545 writes a time. */
const stamp = (at: number) => `${new Date(at).toISOString().replace(/[-:]/g, "").slice(0, 15)}Z`;
/** Its content lines, unfolded. */
const linesOf = (text: string) => text.replaceAll("\r\n ", "").split("\r\n");

describe("the calendar", () => {
  it("has what is reserved ahead, lent now and drained, by RFC 5545", async () => {
    const from = Date.now() + HOUR_MS;
    const purpose = "eye scan; lines, and more\nthan one, so that it is folded: ".repeat(3).slice(0, 180);
    const wish = { buffer: "sim0/ch0", from, to: from + HOUR_MS, purpose, account: "uid:4321" };
    const reservation = await client.call("reservations.create", wish);
    const { delegation } = await client.borrow({ buffer: "sim0/ch1", leaseMs: HOUR_MS });
    await client.call("devices.drain", { name: "sim0", reason: "new firmware", until: from });

    const { status, headers, text } = await door.ask({ path });
    const lines = linesOf(text);

    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/calendar; charset=utf-8");
    expect([lines[0], lines[1], lines.at(-1) || lines.at(-2)]).toEqual([
      "BEGIN:VCALENDAR",
      "VERSION:2.0",
      "END:VCALENDAR",
    ]);
    for (const line of text.split("\r\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
    expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    const events = text.split("BEGIN:VEVENT").slice(1).map(linesOf);
    const of = (uid: string) => events.find((event) => event.some((line) => line.startsWith(`UID:${uid}@`)))!;
    expect(of(`reservation-${reservation.id}`)).toEqual(
      expect.arrayContaining([
        `DTSTART:${stamp(from)}`,
        `DTEND:${stamp(from + HOUR_MS)}`,
        "SUMMARY:sim0/ch0\\, reserved for uid:4321",
      ]),
    );
    expect(of(`reservation-${reservation.id}`).join()).toContain(
      "DESCRIPTION:eye scan\\; lines\\, and more\\nthan one",
    );
    expect(of(`delegation-${delegation.id}`)).toEqual(
      expect.arrayContaining([`DTEND:${stamp(delegation.expiresAt!)}`, `DTSTART:${stamp(delegation.claimedAt!)}`]),
    );
    expect(events.flat()).toContain("SUMMARY:sim0\\, drained: new firmware");
    expect((await door.ask({ path, method: "HEAD" })).headers["content-type"]).toMatch(/^text\/calendar/);
  });

  it("opens to a token of its own in the address, and to any in the header", async () => {
    const { headers, token } = await door.newToken();

    expect((await door.ask({ path: "/calendar.ics", headers })).status).toBe(200);
    for (const wrong of [
      "/calendar.ics",
      `/calendar.ics?token=${token}`,
      "/calendar.ics?token=lendbuf_0",
      `${path}x`,
    ]) {
      const { status, json } = await door.ask({ path: wrong });
      expect([status, json.error.code], wrong).toEqual([401, "UNAUTHORIZED"]);
    }
    expect((await door.ask({ path, method: "POST" })).status).toBe(405);
    expect((await door.ask({ path, headers: { host: "evil.example" } })).status).toBe(421);
  });

  it("is all that such a token opens, and no more once it is removed", async () => {
    const made = await client.call("tokens.create", { name: "tablet", scope: "calendar" });
    const headers = { authorization: `Bearer ${made.token}` };

    expect((await door.ask({ path: "/trpc/status.get", headers })).status).toBe(401);
    expect((await client.call("tokens.list")).find(({ id }) => id === made.id)?.scope).toBe("calendar");
    expect((await door.ask({ path: "/calendar.ics", headers })).status).toBe(200);
    await client.call("tokens.remove", { id: made.id });
    expect((await door.ask({ path: "/calendar.ics", headers })).status).toBe(401);
  });
});
