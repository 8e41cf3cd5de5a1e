import type { Delegation } from "@lendbuf/shared/delegation";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EndSignal } from "./end-signal.ts";

const HOUR = 3_600_000;
const start = Date.UTC(2026, 0, 1);
const kill = vi.fn(() => true);

beforeEach(() => vi.useFakeTimers({ now: start }));
afterEach(() => {
  vi.useRealTimers();
  kill.mockClear();
});

const signalAfter = (...states: Partial<Delegation>[]) => {
  const signal = new EndSignal({ kill }, { signal: "SIGUSR1", ms: 30_000 });
  for (const state of states) signal.see({ state: "active", ending: null, expiresAt: null, ...state } as Delegation);
  return signal;
};

it("is sent so long before the lease ends, and only once although more states follow", () => {
  const signal = signalAfter({ expiresAt: start + HOUR });

  vi.advanceTimersByTime(HOUR - 30_001);
  expect(kill).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  signal.see({
    state: "active",
    expiresAt: start + HOUR,
    ending: { reason: "expired", at: start + HOUR, told: 1 },
  } as Delegation);

  expect(kill.mock.calls).toEqual([["SIGUSR1"]]);
});

it("is sent again before the end of a lease that was extended", () => {
  signalAfter({ expiresAt: start + 10_000 }, { expiresAt: start + HOUR });
  expect(kill).toHaveBeenCalledTimes(1);

  vi.advanceTimersByTime(HOUR - 30_000);

  expect(kill).toHaveBeenCalledTimes(2);
});

it("waits for the new end only, where the lease was extended in time", () => {
  signalAfter({ expiresAt: start + 60_000 }, { expiresAt: start + HOUR });

  vi.advanceTimersByTime(HOUR - 30_001);

  expect(kill).not.toHaveBeenCalled();
});

it("is not sent at once for a lease of more days than a timer can count", () => {
  signalAfter({ expiresAt: start + 40 * 24 * HOUR });

  vi.advanceTimersByTime(39 * 24 * HOUR);
  expect(kill).not.toHaveBeenCalled();
  vi.advanceTimersByTime(24 * HOUR);

  expect(kill).toHaveBeenCalledTimes(1);
});

it("is not sent after the end, nor when the command is gone", () => {
  signalAfter({ expiresAt: start + HOUR }, { state: "revoking", expiresAt: start + HOUR });
  signalAfter({ expiresAt: start + HOUR })[Symbol.dispose]();

  vi.advanceTimersByTime(2 * HOUR);

  expect(kill).not.toHaveBeenCalled();
});
