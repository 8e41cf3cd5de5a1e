// What is typed, parsed: each throws what commander shows together with the option's or argument's name.
import { constants } from "node:os";
import { parseBdf } from "@lendbuf/host/pci-function";
import { ACCOUNT } from "@lendbuf/shared/account";
import type { Method } from "@lendbuf/shared/api";
import type { AuditHead } from "@lendbuf/shared/audit";
import {
  BUFFER_NAME,
  MAX_NAME_LENGTH,
  MAX_TAG_LENGTH,
  type Range,
  type Scrub,
  TAG,
  WIDTHS,
  type Width,
} from "@lendbuf/shared/buffer";
import { parseDuration } from "@lendbuf/shared/duration";
import { EXPORTERS } from "@lendbuf/shared/exporter";
import { isMethod, PROCEDURES } from "@lendbuf/shared/procedures";
import { parseSize } from "@lendbuf/shared/size";
import { InvalidArgumentError, Option } from "commander";
import { parseMoment } from "./moment.ts";
import { parsePast } from "./past.ts";

export function exporterOption(): Option {
  return new Option("--exporter <name>", "by which the memory is lent (default: the device's first)").choices(
    EXPORTERS,
  );
}

/** In milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (!ms) throw new InvalidArgumentError("Write a duration as 90 (seconds), 15m, 1h30m or 2d.");
  return ms;
}

/** A time that has been, in milliseconds since 1970. */
export function pastMoment(text: string): number {
  const at = parsePast(text);
  if (at === undefined || at < 0)
    throw new InvalidArgumentError('Write a time as "2026-11-24 15:00", 15:00, "tuesday 15:00" or "2h ago".');
  return at;
}

/** As `lendbuf audit head` prints it. */
export function auditHead(text: string): AuditHead {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || Number(seq) === 0)
    throw new InvalidArgumentError("Write a head as lendbuf audit head prints it: SEQ:HASH.");
  return { seq: Number(seq), hash: hash! };
}

/** Wall-clock milliseconds. */
export function moment(text: string): number {
  const at = parseMoment(text);
  if (at === undefined)
    throw new InvalidArgumentError("Write a time as 14:30, 2026-11-30 14:30, 2026-11-30T14:30Z or +2h.");
  return at;
}

export function reservationId(text: string): number {
  return wholeNumber(text, "A reservation's id is a whole number; lendbuf reservations lists them.");
}

export function delegationId(text: string): number {
  return wholeNumber(text, "A delegation's id is a whole number; lendbuf delegations lists them.");
}

/** Collects: for `<id...>`. */
export function delegationIds(text: string, before: number[] = []): number[] {
  return [...before, delegationId(text)];
}

export function count(text: string): number {
  return wholeNumber(text, "Write a whole number above 0.");
}

export function regionIndex(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 255)
    throw new InvalidArgumentError("A region is a number from 0 to 255; 0 to 5 are the BARs.");
  return Number(text);
}

export function bufferName(text: string): string {
  return name(text, "buffers");
}

export function deviceName(text: string): string {
  return name(text, "devices");
}

export function tag(text: string): string {
  if (text.length <= MAX_TAG_LENGTH && TAG.test(text)) return text;
  throw new InvalidArgumentError(`A tag is up to ${MAX_TAG_LENGTH} letters, digits and . _ : -`);
}

/** Collects: for `<tag...>`. */
export function tags(text: string, before: string[] = []): string[] {
  return before.includes(tag(text)) ? before : [...before, text];
}

/** A PCI function's address; collects: for `<bdf...>`. */
export function bdfs(text: string, before: string[] = []): string[] {
  const bdf = parseBdf(text);
  if (!bdf) throw new InvalidArgumentError("Write a PCI address as 0000:01:00.0 or 01:00.0; lspci -D lists them.");
  return before.includes(bdf) ? before : [...before, bdf];
}

/** `alice`, `uid:1000`, or a user's name of the agent's host. */
export function account(text: string): string {
  if (ACCOUNT.test(text)) return text;
  throw new InvalidArgumentError("Write an account as alice, or uid:1000. lendbuf account list lists them.");
}

/** Collects: for `<uid...>`; `none` stands for no uid at all. */
export function uids(text: string, before: number[] = []): number[] {
  if (text === "none") return [];
  return [...before, wholeNumber(text, "A uid is a whole number; id -u NAME shows one.")];
}

/** Collects: for `<group...>`; `none` stands for no group at all. */
export function groupNames(text: string, before: string[] = []): string[] {
  return text === "none" ? [] : [...before, text];
}

/** Of the API. */
export function method(text: string): Method {
  if (isMethod(text)) return text;
  const [noun] = text.split(".");
  const alike = Object.keys(PROCEDURES).filter((one) => one.startsWith(`${noun}.`));
  throw new InvalidArgumentError(
    `There is no such method. ${alike.length > 0 ? `Of ${noun} there are` : "There are"} ${(alike.length > 0 ? alike : Object.keys(PROCEDURES)).join(", ")}.`,
  );
}

export function jsonObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {}
  throw new InvalidArgumentError(`Write a JSON object, in quotes for the shell: '{"id":17}'.`);
}

export function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError("Write a size as 4096, 0x1000, 4KiB or 1MiB.");
  return bytes;
}

export function offset(text: string): number {
  const number = isNumber(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError("Write an offset in bytes as 16 or 0x10.");
  return number;
}

/** Of up to 64 bits, as the API takes it. */
export function word(text: string): string {
  const value = isNumber(text) ? BigInt(text) : undefined;
  if (value === undefined || value >> 64n)
    throw new InvalidArgumentError("Write a value of up to 64 bits as 16 or 0x10.");
  return `0x${value.toString(16)}`;
}

/** `OFFSET+LENGTH`; collects. */
export function range(text: string, before: Range[] = []): Range[] {
  const [offset, length, ...others] = text.split("+").map((part) => parseSize(part));
  if (offset === undefined || !length || others.length > 0)
    throw new InvalidArgumentError("Write a range as OFFSET+LENGTH, for example 0x1000+64KiB.");
  return [...before, { offset, length }];
}

export const leaseOption = () =>
  new Option("--for <duration>", "how long the lease is: 90 (seconds), 15m, 1h30m, 2d").argParser(duration);

/** `USR1` or `SIGUSR1`. */
export function signalName(text: string): NodeJS.Signals {
  const name = text.toUpperCase().replace(/^(?!SIG)/, "SIG");
  if (!Object.hasOwn(constants.signals, name))
    throw new InvalidArgumentError("Write a signal as USR1 or SIGUSR1; kill -l lists them.");
  return name as NodeJS.Signals;
}

export function agentUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username)
    throw new InvalidArgumentError(
      "Write where the agent answers as http://127.0.0.1:7117, or https://lab.example:7118.",
    );
  return url.origin;
}

export const widthOption = () => new Option("--width <bits>", "8, 16, 32 or 64 (default: 32)").argParser(width);

export const scrubWidthOption = () =>
  new Option("--scrub-width <bits>", "of the scrub's accesses: 8, 16, 32 or 64 (default: 32)").argParser(width);

/** `none`, `zero` or a word that is written all over. */
export function scrub(text: string): Scrub {
  if (text === "none" || text === "zero") return text;
  if (!isNumber(text)) throw new InvalidArgumentError("Write none, zero, or a word such as 0xdead.");
  return { pattern: word(text), width: 32 };
}

function width(text: string): Width {
  const width = WIDTHS.find((one) => String(one) === text);
  if (!width) throw new InvalidArgumentError("A width is 8, 16, 32 or 64 bits.");
  return width;
}

export const shortenOption = () => new Option("--shorten", "have it for less where a reservation comes first");

export const priorityOption = () =>
  new Option("--priority <number>", "goes before less in line, -100 to 100 (default: 0)").argParser((text) => {
    const priority = /^-?\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
    if (!(Math.abs(priority) <= 100)) throw new InvalidArgumentError("A priority is a number from -100 to 100.");
    return priority;
  });

export const purposeOption = () => new Option("--purpose <text>", "what it is for, shown to others");

function name(text: string, command: string): string {
  if (text.length > MAX_NAME_LENGTH || !BUFFER_NAME.test(text))
    throw new InvalidArgumentError(
      `A name is letters, digits and . _ : - in parts divided by /; lendbuf ${command} lists them.`,
    );
  return text;
}

function wholeNumber(text: string, advice: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number === 0 || !Number.isSafeInteger(number)) throw new InvalidArgumentError(advice);
  return number;
}

function isNumber(text: string): boolean {
  return /^(\d+|0x[0-9a-f]+)$/i.test(text);
}
