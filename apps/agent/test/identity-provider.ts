// An identity provider for tests, and a person's browser at it.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("oidc-provider.mjs", import.meta.url));

/** What is done to the ID tokens that it gives out. */
export interface Spoiled {
  /** Null: left out. */
  claims?: Record<string, unknown>;
  /** Seconds by which they are too old. */
  ago?: number;
  /** Signed with a key that it did not publish. */
  forged?: boolean;
}

export class IdentityProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, issuer: string) {
    this.#child = child;
    this.issuer = issuer;
  }

  static async start(): Promise<IdentityProvider> {
    const child = fork(PROGRAM, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let said = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (said += text));
    const [message] = await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => Promise.reject(new Error(`the provider does not start: ${said}`))),
    ]);
    return new IdentityProvider(child, (message as { issuer: string }).issuer);
  }

  /** An agent's options for it; the client's secret goes into a file of this folder. */
  optionsOf(folder: string): string[] {
    const file = join(folder, "client-secret");
    writeFileSync(file, "what the provider gave\n");
    chmodSync(file, 0o600);
    return ["--oidc-issuer", this.issuer, "--oidc-client-id", "lendbuf", "--oidc-client-secret-file", file];
  }

  /** Makes an agent at this address known to it. */
  register(agentUrl: string): Promise<void> {
    return this.tell({ redirects: [`${agentUrl}/login/oidc/callback`] });
  }

  async tell(message: {
    redirects?: string[];
    people?: Record<string, Record<string, unknown>>;
    spoiled?: Spoiled | null;
  }): Promise<void> {
    const done = once(this.#child, "message");
    this.#child.send(message);
    await done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** Signs in at the provider as a person would, in its forms; resolves with the address to which it sends the browser back. */
export async function signInAtProvider(url: string, login: string): Promise<string> {
  const { origin } = new URL(url);
  const cookies = new Map<string, string>();
  const go = async (to: string, form?: Record<string, string>): Promise<Response> => {
    const response = await fetch(to, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form && { method: "POST", body: new URLSearchParams(form) }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    return response;
  };
  let at = url;
  let response = await go(at);
  for (let step = 0; step < 20; step++) {
    const location = response.headers.get("location");
    if (location) {
      at = new URL(location, at).href;
      if (new URL(at).origin !== origin) return at;
      response = await go(at);
      continue;
    }
    const page = await response.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!prompt) throw new Error(`the provider says: ${page.replaceAll(/<[^>]*>|\s+/g, " ").slice(0, 500)}`);
    response = await go(at, { prompt, login, password: "any" });
  }
  throw new Error("the provider sends the browser round and round");
}
