import type { Delegation } from "@lendbuf/shared/delegation";
import { type Borrowed, type Client, Refused, type Terms, type Told } from "./client.ts";
import { LineProcess } from "./line-process.ts";

/** What `lendbuf exec` says to people on standard error about what it has lent. */
const NOTICES: [RegExp, (found: RegExpExecArray) => Told][] = [
  [/ will be taken back .*\((\w+)\)\.$/, ([, reason]) => ({ kind: "ending", reason })],
  [/^lendbuf: The lease of .* now ends /, () => ({ kind: "extended", reason: undefined })],
  [/ is being taken back \(([\w-]+);/, ([, reason]) => ({ kind: "revoking", reason })],
  [/ was taken back \(([\w-]+);/, ([, reason]) => ({ kind: "revoked", reason })],
  [/^lendbuf: The agent went away, /, () => ({ kind: "lost", reason: undefined })],
];

/** `lendbuf` as people and scripts use it: `exec` lends to a program (programs/c.c), other commands do the rest. What it refuses is its exit code. */
export class CommandLine implements Client {
  readonly #lendbuf: readonly string[];
  readonly #holder: string;
  readonly #env: NodeJS.ProcessEnv;
  #exec: LineProcess | undefined;
  #id = 0;

  /** `lendbuf` starts the command; `holder` is the program to which it lends. */
  constructor({ lendbuf, holder }: { lendbuf: readonly string[]; holder: string }, socket: string) {
    this.#lendbuf = lendbuf;
    this.#holder = holder;
    this.#env = { ...process.env, LENDBUF_SOCKET: socket };
  }

  /** Each command connects for itself. */
  async connect(): Promise<void> {}

  async borrow(buffer: string, terms: Terms = {}): Promise<Borrowed> {
    await this.#leave();
    const exec = new LineProcess([...this.#lendbuf, ...wordsOf(buffer, terms), "--", this.#holder], this.#env);
    this.#exec = exec;
    const line = await exec.hear();
    if (line === undefined) {
      this.#exec = undefined;
      throw await refusalOf(exec);
    }
    if (!line.startsWith("ok ")) throw saidNo(line);
    const borrowed = JSON.parse(line.slice("ok ".length)) as Borrowed;
    this.#id = borrowed.id;
    return borrowed;
  }

  async record(): Promise<Delegation> {
    return JSON.parse(await this.#run("delegations", "get", `${this.#id}`, "--json")) as Delegation;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return Buffer.from(await this.#ask(`read ${offset} ${length}`), "hex");
  }

  async write(offset: number, bytes: Buffer): Promise<void> {
    await this.#ask(`write ${offset} ${bytes.toString("hex")}`);
  }

  async readOn(offset: number, bytes: Buffer): Promise<{ end: Promise<Refused> }> {
    const exec = this.#exec!;
    exec.tell(`read-on ${offset} ${bytes.toString("hex")}`);
    const line = await exec.hear();
    if (line !== "reading") throw saidNo(line);
    return { end: exec.hear().then(saidNo) };
  }

  async sync(direction: string, offset: number, length: number): Promise<void> {
    await this.#run("sync", `${this.#id}`, direction, "--offset", `${offset}`, "--length", `${length}`);
  }

  async extend(byMs: number): Promise<number> {
    const extended = JSON.parse(await this.#run("extend", `${this.#id}`, `${byMs}ms`, "--json")) as Delegation;
    return extended.expiresAt!;
  }

  async hear(): Promise<Told> {
    for (;;) {
      const line = await this.#exec!.hearComplaint();
      if (line === undefined) throw new Error("lendbuf exec has ended, and says no more.");
      for (const [pattern, told] of NOTICES) {
        const found = pattern.exec(line);
        if (found) return told(found);
      }
    }
  }

  /** It goes back when the command ends. */
  async release(): Promise<void> {
    const code = await this.#exec!.end();
    const exec = this.#exec!;
    this.#exec = undefined;
    if (code !== 0) throw await refusalOf(exec);
  }

  async kill(): Promise<void> {
    await this.#exec?.kill();
    this.#exec = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave();
  }

  async #leave(): Promise<void> {
    await this.#exec?.end();
    this.#exec = undefined;
  }

  /** Another command, to its end; answers what it printed. */
  async #run(...words: string[]): Promise<string> {
    const command = new LineProcess([...this.#lendbuf, ...words], this.#env);
    const lines: string[] = [];
    for (let line = await command.hear(); line !== undefined; line = await command.hear()) lines.push(line);
    if ((await command.ended) !== 0) throw await refusalOf(command);
    return lines.join("\n");
  }

  async #ask(order: string): Promise<string> {
    this.#exec!.tell(order);
    const line = await this.#exec!.hear();
    if (line !== "ok" && !line?.startsWith("ok ")) throw saidNo(line);
    return line.slice("ok ".length);
  }
}

function wordsOf(buffer: string, { forMs, waitMs, readOnly, exporter, purpose }: Terms): string[] {
  return [
    ...(typeof waitMs === "number" ? ["--timeout", `${waitMs}ms`] : []),
    ...["exec", buffer],
    ...(forMs ? ["--for", `${forMs}ms`] : []),
    ...(waitMs ? ["--wait"] : []),
    ...(readOnly ? ["--read-only"] : []),
    ...(exporter ? ["--exporter", exporter] : []),
    ...(purpose ? ["--purpose", purpose] : []),
  ];
}

async function refusalOf(command: LineProcess): Promise<Refused> {
  return new Refused(`exit ${await command.ended}`, await command.complaints());
}

/** What the program that was lent memory met in place of it. */
function saidNo(line: string | undefined): Refused {
  const [, type, words] = /^no (\S+) (.*)$/.exec(line ?? "") ?? [];
  if (type === undefined) throw new Error(`Not an answer: ${line ?? "the program is gone"}`);
  return new Refused(type, words!);
}
