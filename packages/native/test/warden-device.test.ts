import { readFileSync, readSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { until } from "./until.ts";
import { builds } from "./warden-builds.ts";
import { type Lent, PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const RING = 1 << 20;
const RING_SAMPLES = RING / 2;
const CHANNEL = { sine: 0, square: 1, chirp: 2, noise: 3 };
const register = {
  sampleRate: 0x008,
  samples: 0x010,
  enable: (channel: number) => 0x100 + 0x20 * channel,
  gain: (channel: number) => 0x104 + 0x20 * channel,
  position: (channel: number) => 0x108 + 0x20 * channel,
};

function load({ fd }: Lent, offset: number): number {
  const bytes = Buffer.alloc(4);
  readSync(fd, bytes, 0, 4, offset);
  return bytes.readUInt32LE(0);
}

function store({ fd }: Lent, offset: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  writeSync(fd, bytes, 0, 4, offset);
}

/** Waits until the device has captured this many samples from now on, and answers them. */
async function capture(registers: Lent, ring: Lent, channel: number, count: number): Promise<Int16Array> {
  const start = load(registers, register.samples);
  await until(() => load(registers, register.samples) - start >= count);
  return latest(registers, ring, channel, count);
}

function latest(registers: Lent, ring: Lent, channel: number, count: number): Int16Array {
  const bytes = Buffer.alloc(RING);
  const position = load(registers, register.position(channel));
  readSync(ring.fd, bytes, 0, RING, 0);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, RING_SAMPLES);
  return Int16Array.from({ length: count }, (_, i) => samples.at((position - count + i) % RING_SAMPLES)!);
}

/** Sign changes from below to above zero, per second. */
function frequency(samples: Int16Array, sampleRate: number): number {
  let crossings = 0;
  for (let i = 1; i < samples.length; i++) if (samples[i - 1]! < 0 && samples[i]! >= 0) crossings++;
  return (crossings * sampleRate) / samples.length;
}

const peak = (samples: Int16Array) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

/** Of each run of `count` samples: short ones beside a sweep, so that the one in which it starts again hides nothing. */
function frequencies(samples: Int16Array, count: number, sampleRate: number): number[] {
  const runs = Math.floor(samples.length / count);
  return Array.from({ length: runs }, (_, i) => frequency(samples.subarray(i * count, (i + 1) * count), sampleRate));
}

const range = (values: number[]) => Math.max(...values) - Math.min(...values);

/** What a sine of 1 kHz changes at most from one sample to the next: more means that samples are missing. */
const SINE_STEP = 8000 * 2 * Math.PI * 0.004 + 20;

const steepest = (samples: Int16Array) => peak(samples.subarray(1).map((sample, i) => sample - samples[i]!));

function borrowRegisters(warden: Warden, readOnly = false): Promise<Lent> {
  return warden.export({ region: REGISTERS, ranges: [{ offset: 0, length: 4096 }], readOnly });
}

function borrowRing(warden: Warden, channel: number, readOnly = true): Promise<Lent> {
  return warden.export({ ranges: [{ offset: channel * RING, length: RING }], readOnly });
}

describe.each(builds)("the simulated digitizer ($name)", (build) => {
  it("says what it is", async () => {
    await using warden = new Warden(build);

    const registers = await borrowRegisters(warden, true);

    const values = [0x000, 0x004, 0x008, 0x00c].map((offset) => load(registers, offset));
    expect(values).toEqual([0x444e454c, 0x00010000, 250_000, 4]);
  });

  it("measures a sine of 1 kHz, a square of 500 Hz, a chirp and noise", async () => {
    await using warden = new Warden(build);
    const registers = await borrowRegisters(warden);
    const rings = [];
    for (let channel = 0; channel < 4; channel++) rings.push(await borrowRing(warden, channel));

    const sine = await capture(registers, rings[CHANNEL.sine]!, CHANNEL.sine, 25_000);
    const square = await capture(registers, rings[CHANNEL.square]!, CHANNEL.square, 25_000);
    const chirp = await capture(registers, rings[CHANNEL.chirp]!, CHANNEL.chirp, 100_000);
    const noise = await capture(registers, rings[CHANNEL.noise]!, CHANNEL.noise, 10_000);

    expect(frequency(sine, 250_000)).toBeCloseTo(1000, -2);
    expect(steepest(sine)).toBeLessThan(SINE_STEP);
    expect(peak(sine)).toBeGreaterThan(7900);
    expect(frequency(square, 250_000)).toBeCloseTo(500, -2);
    expect(new Set(square)).toEqual(new Set([8000, -8000]));
    expect(range(frequencies(chirp, 5000, 250_000))).toBeGreaterThan(500);
    expect(new Set(noise).size).toBeGreaterThan(5000);
    expect(Math.abs(noise.reduce((sum, sample) => sum + sample, 0) / noise.length)).toBeLessThan(500);
  });

  it("takes gain, enable and rate from whoever holds the registers, within their limits", async () => {
    await using warden = new Warden(build);
    const registers = await borrowRegisters(warden);
    const sine = await borrowRing(warden, CHANNEL.sine);
    const square = await borrowRing(warden, CHANNEL.square);

    store(registers, register.gain(CHANNEL.sine), 128);
    store(registers, register.enable(CHANNEL.square), 0);
    store(registers, register.sampleRate, 5);
    await until(() => load(registers, register.sampleRate) === 1000);
    store(registers, register.sampleRate, 500_000);
    const slower = load(registers, register.samples);
    await until(() => load(registers, register.samples) > slower + 20_000);
    const quiet = await capture(registers, sine, CHANNEL.sine, 25_000);
    const off = await capture(registers, square, CHANNEL.square, 1000);
    store(registers, register.gain(CHANNEL.sine), 256 * 100);
    await capture(registers, sine, CHANNEL.sine, 25_000);
    const loud = await capture(registers, sine, CHANNEL.sine, 25_000);

    expect(peak(quiet)).toBe(4000);
    expect(frequency(quiet, 500_000)).toBeCloseTo(1000, -2);
    expect(peak(off)).toBe(0);
    expect([Math.max(...loud), Math.min(...loud)]).toEqual([32_767, -32_768]);
  });

  it("loses no sample where settings change, also with the last words of a holder", async () => {
    await using warden = new Warden(build);
    const reader = await borrowRegisters(warden, true);
    const sine = await borrowRing(warden, CHANNEL.sine);
    const start = load(reader, register.samples);

    for (let gain = 1; gain <= 20; gain++) {
      const registers = await borrowRegisters(warden);
      store(registers, register.gain(CHANNEL.square), gain);
      if (gain % 2) await until(() => load(reader, register.gain(CHANNEL.square)) === gain);
      await warden.revoke(registers.id);
    }

    const count = load(reader, register.samples) - start;
    expect(count).toBeGreaterThan(1000);
    expect(steepest(latest(reader, sine, CHANNEL.sine, count))).toBeLessThan(SINE_STEP);
  });

  it("puts right what a holder writes to a read-only register, and keeps the other bytes", async () => {
    await using warden = new Warden(build);
    const registers = await borrowRegisters(warden);
    const reader = await borrowRegisters(warden, true);

    store(registers, 0x000, 1);
    store(registers, 0x010, 0xffffffff);
    store(registers, 0x800, 0x1234);
    await until(() => load(registers, 0x000) === 0x444e454c && load(reader, 0x800) === 0x1234);
    await warden.revoke(registers.id);

    expect(load(reader, register.samples)).toBeLessThan(0xffffffff);
    expect(load(await borrowRegisters(warden), 0x800)).toBe(0x1234);
  });

  it("goes on capturing into a writer's export, and hands the ring on", async () => {
    await using warden = new Warden(build);
    const registers = await borrowRegisters(warden, true);
    const writer = await borrowRing(warden, CHANNEL.square, false);

    const samples = await capture(registers, writer, CHANNEL.square, 10_000);
    await warden.revoke(writer.id);
    const next = await borrowRing(warden, CHANNEL.square);
    const later = await capture(registers, next, CHANNEL.square, 100_000); // goes back to before the hand-over

    expect(new Set(samples)).toEqual(new Set([8000, -8000]));
    expect(frequency(later, 250_000)).toBeCloseTo(500, -2);
  });

  it("shows what a writer does to whoever reads the same memory", async () => {
    await using warden = new Warden(build);
    const ranges = [{ offset: PLAIN, length: 1 << 20 }];
    const writer = await warden.export({ ranges });
    writeSync(writer.fd, "before", 0);
    const reader = await warden.export({ ranges: [{ offset: PLAIN, length: 8192 }], readOnly: true });
    const first = Buffer.alloc(6);
    readSync(reader.fd, first, 0, 6, 0);

    writeSync(writer.fd, "after", 4096);
    const seen = Buffer.alloc(5);
    await until(() => readSync(reader.fd, seen, 0, 5, 4096) === 5 && seen.toString() === "after");
    writeSync(writer.fd, "last words", 0);
    await warden.revoke(writer.id);
    const last = Buffer.alloc(10);
    await until(() => readSync(reader.fd, last, 0, 10, 0) === 10 && last.toString() === "last words");
    await until(() => !warden.isTicking());

    expect(first.toString()).toBe("before");
  });

  it("sleeps while nothing that is lent shows registers or rings", async () => {
    await using warden = new Warden(build);
    const ring = await borrowRing(warden, 0);
    await until(() => warden.isTicking());

    await warden.revoke(ring.id);
    for (let i = 0; i < 20; i++) await warden.export({ readOnly: true });
    await warden.export({ ranges: [{ offset: PLAIN + 4096, length: 4096 }] });
    await until(() => !warden.isTicking() && isAsleep(warden));
    const wakeUps = wakeUpsOf(warden);
    await delay(200); // ten ticks' time, in which nothing must happen

    expect(wakeUpsOf(warden)).toBe(wakeUps);
  });
});

function statusOf({ pid }: Warden): string {
  return readFileSync(`/proc/${pid}/status`, "utf8");
}

const isAsleep = (warden: Warden) => /^State:\tS/m.test(statusOf(warden));

const wakeUpsOf = (warden: Warden) => Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(statusOf(warden))![1]);
