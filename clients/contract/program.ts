import type { Delegation } from "@lendbuf/shared/delegation";
import { type Borrowed, type Client, Refused, type Terms, type Told } from "./client.ts";
import { LineProcess } from "./line-process.ts";

/**
 * A client's library in a program of programs/, which takes orders, one after the other, and answers each with a line:
 *
 *   connect SOCKET                                    ok
 *   borrow BUFFER FOR WAIT ACCESS EXPORTER PURPOSE    ok {"id":…,"size":…}
 *                                                     FOR and WAIT are milliseconds: 0 says nothing of it, a WAIT of -1 has no end;
 *                                                     an EXPORTER of - says nothing either
 *   record                                            ok RECORD, in JSON
 *   read OFFSET LENGTH                                ok BYTES, as hexadecimal digits
 *   write OFFSET BYTES                                ok
 *   read-on OFFSET BYTES                              reading, once it has read them; and at its end what stands in its way
 *   sync DIRECTION OFFSET LENGTH                      ok
 *   extend MS                                         ok EXPIRES-AT
 *   hear                                              ok KIND REASON, with - where there is none
 *   release                                           ok
 *
 * What was refused, or failed, is "no TYPE words".
 */
export class Program implements Client {
  readonly #process: LineProcess;
  readonly #socket: string;
  #owed = 0;

  private constructor(process: LineProcess, socket: string) {
    this.#process = process;
    this.#socket = socket;
  }

  static async start(command: readonly string[], socket: string, env: Record<string, string> = {}): Promise<Program> {
    const program = new Program(new LineProcess(command, { ...process.env, ...env }), socket);
    await program.connect();
    return program;
  }

  async connect(): Promise<void> {
    await this.#ask(`connect ${this.#socket}`);
  }

  async borrow(buffer: string, terms: Terms = {}): Promise<Borrowed> {
    return JSON.parse(await this.#ask(`borrow ${buffer} ${wordsOf(terms)}`)) as Borrowed;
  }

  async record(): Promise<Delegation> {
    return JSON.parse(await this.#ask("record")) as Delegation;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return Buffer.from(await this.#ask(`read ${offset} ${length}`), "hex");
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    await this.#ask(`write ${offset} ${bytes.toString("hex")}`);
  }

  async readOn(offset: number, bytes: Buffer): Promise<{ end: Promise<Refused> }> {
    this.#owed++;
    this.#process.tell(`read-on ${offset} ${bytes.toString("hex")}`);
    const line = await this.#process.hear();
    if (line !== "reading") throw await this.#refusal(line);
    return { end: this.#process.hear().then((end) => this.#refusal(end)) };
  }

  async sync(direction: string, offset: number, length: number): Promise<void> {
    await this.#ask(`sync ${direction} ${offset} ${length}`);
  }

  async extend(byMs: number): Promise<number> {
    return Number(await this.#ask(`extend ${byMs}`));
  }

  async hear(): Promise<Told> {
    const [kind, reason] = (await this.#ask("hear")).split(" ");
    return { kind: kind!, reason: reason === "-" ? undefined : reason };
  }

  async release(): Promise<void> {
    await this.#ask("release");
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Throws where it does not end well, such as by what a sanitizer has found. One that owes an answer is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#owed > 0) return this.#process.kill();
    const code = await this.#process.end();
    if (code !== 0) throw new Error(`The program ended with ${code}:\n${await this.#process.complaints()}`);
  }

  async #ask(order: string): Promise<string> {
    this.#owed++;
    this.#process.tell(order);
    const line = await this.#process.hear();
    if (line !== "ok" && !line?.startsWith("ok ")) throw await this.#refusal(line);
    this.#owed--;
    return line.slice("ok ".length);
  }

  async #refusal(line: string | undefined): Promise<Refused> {
    const [, type, words] = /^no (\S+) (.*)$/.exec(line ?? "") ?? [];
    if (type === undefined)
      throw new Error(`Not an answer: ${line ?? `the program is gone: ${await this.#process.complaints()}`}`);
    this.#owed--;
    return new Refused(type, words!);
  }
}

function wordsOf({ forMs = 0, waitMs = 0, readOnly = false, exporter, purpose = "" }: Terms): string {
  const access = readOnly ? "read-only" : "read-write";
  return `${forMs} ${waitMs === "forever" ? -1 : waitMs} ${access} ${exporter ?? "-"} ${purpose}`;
}
