import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the built `lendbuf` to its end; the working folder is the checkout. */
export async function lendbuf(args: readonly string[], { uid }: { uid?: number } = {}): Promise<Ended> {
  const child = spawn(process.execPath, ["apps/cli/dist/main.js", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, stdout, stderr };
}
