import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { compiled } from "./compiled.ts";
import { Child } from "./node-child.ts";

const common = fileURLToPath(new URL("../src/common/", import.meta.url));
// Where there is no compiler, somebody has compiled it before.
const program =
  process.env.LENDBUF_HOLDER ?? compiled("warden-holder.cc", `${common}guard.cc`, `${common}packet.cc`, "-pthread");
if (!process.env.LENDBUF_HOLDER) chmodSync(dirname(program), 0o755); // other users hold exports too

/** A second process that holds an export. Without `uid` it is the test's own user. */
export class Holder {
  readonly #child: Child;

  constructor(fd: number, options: { uid?: number } = {}) {
    const as = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    this.#child = new Child(program, [], { stdio: ["pipe", "pipe", "inherit", fd], ...as });
  }

  /** What it answers to a line of warden-holder.cc: "ok", a value or an errno's name. */
  do(line: string): Promise<string | undefined> {
    this.#child.process.stdin!.write(`${line}\n`);
    return this.#child.line();
  }

  /** Its answers to several lines, by line. */
  async doAll(...lines: string[]): Promise<Record<string, string | undefined>> {
    const answers: Record<string, string | undefined> = {};
    for (const line of lines) answers[line] = await this.do(line);
    return answers;
  }

  async [Symbol.asyncDispose]() {
    await this.#child.finish();
  }
}
