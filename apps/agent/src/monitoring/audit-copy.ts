import { sendDatagram } from "@lendbuf/native/addon";
import type { AuditRow } from "@lendbuf/shared/audit";
import type { Log } from "../log.ts";

export type CopyFormat = "journal" | "syslog";

/** Where a copy of the audit goes. */
export interface CopyTarget {
  format: CopyFormat;
  socket: string;
}

/** Those that wait to be sent; more are lost, and counted. */
const MAX_WAITING = 10_000;
const AT_ONCE = 100;
const LOOK_AGAIN_MS = 100;
/** Of a detail; the audit has it whole. */
const MAX_DETAIL = { journal: 32_768, syslog: 1500 };
/** LOG_AUTHPRIV, LOG_INFO. */
const SYSLOG_PRIORITY = 10 * 8 + 6;

/** Copies the audit, as it becomes durable, to the journal or to syslog. Nobody waits for it: what cannot be sent is lost there, counted, and still in the audit. */
export class AuditCopy {
  readonly #target: CopyTarget;
  readonly #log: Log;
  #waiting: AuditRow[] = [];
  #isSending = false;
  #isFailing = false;
  lost = 0;

  constructor(target: CopyTarget, log: Log) {
    this.#target = target;
    this.#log = log;
  }

  take(row: AuditRow): void {
    if (this.#waiting.length >= MAX_WAITING) this.lost++;
    else this.#waiting.push(row);
    if (this.#isSending) return;
    this.#isSending = true;
    setImmediate(() => this.#send());
  }

  /** Sends what can still be sent. */
  close(): void {
    while (this.#waiting.length > 0 && this.#sendSome());
    this.lost += this.#waiting.length;
    this.#waiting = [];
  }

  #send(): void {
    if (!this.#sendSome()) setTimeout(() => this.#send(), LOOK_AGAIN_MS).unref();
    else if (this.#waiting.length > 0) setImmediate(() => this.#send());
    else this.#isSending = false;
  }

  /** False where the other side takes no more for now. */
  #sendSome(): boolean {
    const { format, socket } = this.#target;
    const encode = format === "journal" ? journalEntry : syslogLine;
    let sent = 0;
    try {
      for (const row of this.#waiting.slice(0, AT_ONCE)) {
        sendDatagram(socket, encode(row));
        sent++;
      }
      this.#isFailing = false;
    } catch (cause) {
      this.#fail(cause as NodeJS.ErrnoException);
      // Too big for it, now and later.
      if ((cause as NodeJS.ErrnoException).code === "EMSGSIZE") {
        this.lost++;
        sent++;
      } else return false;
    } finally {
      this.#waiting.splice(0, sent);
    }
    return true;
  }

  #fail(cause: NodeJS.ErrnoException): void {
    if (this.#isFailing || cause.code === "EAGAIN") return;
    this.#isFailing = true;
    this.#log.warn({ cause, socket: this.#target.socket }, "the audit's copy cannot be sent; it is tried again");
  }
}

function wordsOf({ seq, actor, action, delegation, buffer }: AuditRow): string {
  const subject = [delegation === null ? "" : ` ${delegation}`, buffer === null ? "" : ` ${buffer}`].join("");
  return `audit ${seq}: ${action}${subject} by ${actor}`;
}

/** systemd.io/JOURNAL_NATIVE_PROTOCOL: a field a line, or where the value has line feeds its length before it. */
function journalEntry(row: AuditRow): Buffer {
  const fields = {
    MESSAGE: wordsOf(row),
    PRIORITY: "6",
    SYSLOG_IDENTIFIER: "lendbuf",
    SYSLOG_FACILITY: "10",
    LENDBUF_SEQ: row.seq,
    LENDBUF_AT: row.at,
    LENDBUF_ACTOR: row.actor,
    LENDBUF_ACTION: row.action,
    LENDBUF_DELEGATION: row.delegation,
    LENDBUF_BUFFER: row.buffer,
    LENDBUF_ACCOUNT: row.account,
    LENDBUF_DETAIL: row.detail.slice(0, MAX_DETAIL.journal),
    LENDBUF_HASH: row.hash,
  };
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(fields)) if (value !== null) parts.push(field(name, String(value)));
  return Buffer.concat(parts);
}

function field(name: string, value: string): Buffer {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")]);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** RFC 3164, as syslog(3) sends it. */
function syslogLine(row: AuditRow): Buffer {
  const date = new Date(row.at);
  const two = (number: number, pad = "0") => String(number).padStart(2, pad);
  const stamp = `${MONTHS[date.getMonth()]} ${two(date.getDate(), " ")} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const words = `${wordsOf(row)} hash ${row.hash} ${row.detail.slice(0, MAX_DETAIL.syslog)}`;
  return Buffer.from(`<${SYSLOG_PRIORITY}>${stamp} lendbuf[${process.pid}]: ${words.replaceAll("\n", " ")}`);
}
