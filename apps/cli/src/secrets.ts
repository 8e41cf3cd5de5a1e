import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { EXIT } from "./exit-codes.ts";
import { Failure, usageFailure } from "./failure.ts";
import { tell } from "./output/print.ts";

/** Asks for secrets one after the other: on the terminal, which does not show them, or with --stdin a line each. Never from arguments, which every user of the host can read. */
export class Secrets implements AsyncDisposable {
  readonly #lines: AsyncIterator<string>;
  readonly #reader: ReturnType<typeof createInterface>;
  readonly #isTerminal: boolean;

  constructor({ stdin }: { stdin: boolean }) {
    if (!stdin && !(process.stdin.isTTY && process.stderr.isTTY))
      throw usageFailure("There is no terminal to type a password on. Send it with --stdin, in a line of its own.");
    this.#isTerminal = !stdin;
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    this.#reader = createInterface({ input: process.stdin, output: nowhere, terminal: this.#isTerminal });
    // A terminal's Ctrl-C comes as a key.
    this.#reader.once("SIGINT", () => this.#reader.close());
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async ask(question: string): Promise<string> {
    if (this.#isTerminal) tell(`${question}: `);
    const { value, done } = await this.#lines.next();
    if (this.#isTerminal) tell("\n");
    if (!done && value !== "") return value;
    throw this.#isTerminal
      ? new Failure("CANCELLED", EXIT.failed, "Nothing was changed.")
      : usageFailure(`--stdin has no line with this: ${question.toLowerCase()}.`);
  }

  /** A new one, typed twice where nobody sees it. */
  async askNew(question: string): Promise<string> {
    const secret = await this.ask(question);
    if (this.#isTerminal && (await this.ask("The same again")) !== secret)
      throw usageFailure("These two are not the same. Nothing was changed; begin anew.");
    return secret;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
  }
}
