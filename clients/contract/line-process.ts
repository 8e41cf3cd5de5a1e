import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

type Lines = AsyncIterator<string>;

/** A process that takes lines and says lines. */
export class LineProcess {
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  readonly #said: Lines;
  readonly #complained: Lines;

  constructor([command, ...args]: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command!, args, { stdio: ["pipe", "pipe", "pipe"], env });
    this.#child.stdin!.on("error", () => {}); // it has ended: what is read next says so
    this.#said = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.#complained = createInterface({ input: this.#child.stderr! })[Symbol.asyncIterator]();
    this.ended = once(this.#child, "exit").then(([code, signal]) => code ?? signal);
  }

  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** The next line of its output; undefined where none will follow. */
  async hear(): Promise<string | undefined> {
    const { value, done } = await this.#said.next();
    return done ? undefined : value;
  }

  /** The next line of its standard error, likewise. */
  async hearComplaint(): Promise<string | undefined> {
    const { value, done } = await this.#complained.next();
    return done ? undefined : value;
  }

  /** All complaints that were not heard yet, once nothing can follow. */
  async complaints(): Promise<string> {
    const lines: string[] = [];
    for (let line = await this.hearComplaint(); line !== undefined; line = await this.hearComplaint()) lines.push(line);
    return lines.join("\n");
  }

  /** By the end of its input. */
  async end(): Promise<number | NodeJS.Signals> {
    this.#child.stdin!.end();
    return this.ended;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    this.#child.stdin!.destroy();
    await this.ended;
  }
}
