import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BootTimer, bootTimeMs } from "../src/addon.ts";
import { nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";
import { refusal } from "./refusal.ts";

let fired: number[] = [];
let wake = () => {};
let timer: BootTimer;
beforeEach(() => {
  fired = [];
  timer = new BootTimer(() => {
    fired.push(bootTimeMs());
    wake();
  });
});
afterEach(() => timer.close());

const firing = () =>
  new Promise<void>((resolve) => {
    wake = resolve;
  });

describe("a boot timer", () => {
  it("fires once, never before its deadline", async () => {
    const deadline = bootTimeMs() + 10.25;
    timer.set(deadline);
    await firing();
    timer.set(bootTimeMs() + 5);
    await firing();

    expect(fired).toHaveLength(2);
    expect(fired[0]).toBeGreaterThanOrEqual(deadline);
    expect(fired[0]! - deadline).toBeLessThan(10_000);
  });

  it.each([0, -1, -1e300, 1e-9, Number.MIN_VALUE])(
    "fires at once where the deadline %d has passed",
    async (deadline) => {
      timer.set(deadline);
      expect(fired).toEqual([]);
      await firing();

      expect(fired).toHaveLength(1);
    },
  );

  it("set anew waits for the new deadline, also where it was due already", async () => {
    timer.set(0);
    const deadline = bootTimeMs() + 20;
    timer.set(deadline);
    await firing();

    expect(fired).toHaveLength(1);
    expect(fired[0]).toBeGreaterThanOrEqual(deadline);
  });

  it("waits for the new deadline also where another timer of the same round sets it", async () => {
    const deadline = bootTimeMs() + 20;
    const other = new BootTimer(() => timer.set(deadline));
    other.set(0);
    timer.set(0);
    while (bootTimeMs() < deadline - 19); // both are due when the loop looks, the other first
    await firing();
    other.close();

    expect(fired).toHaveLength(1);
    expect(fired[0]).toBeGreaterThanOrEqual(deadline);
  });

  it("can be set from within its own callback", async () => {
    const seen: number[] = [];
    const again: BootTimer = new BootTimer(() => {
      seen.push(seen.length);
      if (seen.length < 100) again.set(0);
      else wake();
    });
    again.set(0);
    await firing();
    again.close();

    expect(seen).toHaveLength(100);
  });

  it("disarmed does not fire", async () => {
    timer.set(0);
    timer.set(undefined);
    const other = new BootTimer(() => wake());
    other.set(bootTimeMs() + 10);
    await firing();
    other.close();

    expect(fired).toEqual([]);
  });

  it("takes deadlines that setTimeout cannot, and does not fire at once", async () => {
    const day = 86_400_000;
    for (const distance of [25 * day, 40 * day, 40_000 * day, 1e15, Number.MAX_VALUE])
      timer.set(bootTimeMs() + distance);
    const other = new BootTimer(() => wake());
    other.set(bootTimeMs() + 10);
    await firing();
    other.close();

    expect(fired).toEqual([]);
  });

  it("refuses what is no finite number, and to be set once it is closed", () => {
    const set = timer.set.bind(timer) as (deadline?: unknown) => void;

    for (const deadline of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(() => set(deadline)).toThrow(RangeError);
    for (const deadline of ["1", null, 1n, {}]) expect(() => set(deadline)).toThrow(TypeError);
    timer.close();
    timer.close();
    timer.ref();
    timer.unref();
    expect(refusal(() => timer.set(1))).toMatchObject({ code: "EBADF", syscall: "timerfd_settime" });
    expect(() => new (BootTimer as unknown as new () => BootTimer)()).toThrow(TypeError);
  });

  it("closes its descriptor, also from within its callback", async () => {
    const before = openFds();
    for (let i = 0; i < 200; i++) {
      const self: BootTimer = new BootTimer(() => {
        self.close();
        wake();
      });
      self.set(0);
      await firing();
    }

    expect(openFds()).toBe(before);
  });
});

describe("the process", () => {
  it("ends while a timer is not armed or not referenced, and waits for one that is", async () => {
    const idle = nodeChild(`new addon.BootTimer(() => {});`);
    const unreferenced = nodeChild(`
      const timer = new addon.BootTimer(() => {});
      timer.set(addon.bootTimeMs() + 1e6);
      timer.unref();
    `);
    const armed = nodeChild(`
      const timer = new addon.BootTimer(() => { say("fired"); });
      timer.unref();
      timer.ref();
      timer.set(addon.bootTimeMs() + 50);
    `);

    expect(await idle.ended).toEqual({ code: 0, signal: null });
    expect(await unreferenced.ended).toEqual({ code: 0, signal: null });
    expect(await armed.line()).toBe("fired");
    expect(await armed.ended).toEqual({ code: 0, signal: null });
  });
});

describe("the boot clock", () => {
  it("is what the kernel calls uptime, in milliseconds with a fraction, and never goes back", async () => {
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;

    const readings = Array.from({ length: 1000 }, () => bootTimeMs());

    expect(Math.abs(readings[0]! - uptime)).toBeLessThan(1000);
    expect(readings.some((reading) => reading % 1 !== 0)).toBe(true);
    expect([...readings].sort((a, b) => a - b)).toEqual(readings);
  });
});
