import { once } from "node:events";

/** Writes to stdout and waits while the reader is slow. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

export async function printLine(line = ""): Promise<void> {
  await print(`${line}\n`);
}

/** One JSON document. */
export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, null, 2)}\n`);
}

/** One line of JSON Lines. */
export async function printJsonLine(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value)}\n`);
}

let isQuiet = false;

/** From now on nothing is printed but what was asked for, and errors. */
export function beQuiet(): void {
  isQuiet = true;
}

/** What was done, for people: a script that is quiet sees it by the exit code. */
export async function printDone(line: string): Promise<void> {
  if (!isQuiet) await printLine(line);
}

/** `line`, or where it shall be quiet only the one thing in it that a script needs. */
export async function printLong(line: string, short: string): Promise<void> {
  await printLine(isQuiet ? short : line);
}

/** What happens meanwhile, on stderr. */
export function notify(text: string): void {
  if (!isQuiet) tell(text);
}

/** Writes to stderr: what is for people, not for the next program in the pipe. */
export function tell(text: string): void {
  process.stderr.write(text);
}

/** `lendbuf buffers | head -1` is no error: leave quietly once nobody reads. Nobody reading stderr is no reason to leave. */
export function handleClosedPipes(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    tell(`lendbuf: stdout: ${error.message}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => {});
}
