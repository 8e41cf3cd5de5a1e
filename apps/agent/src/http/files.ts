import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { z } from "zod";
import { SECURITY_HEADERS } from "./reply.ts";

/** What the dashboard's build says of its files, by the path under which each is served. */
const Manifest = z.object({
  files: z.record(
    z.string(),
    z.object({
      file: z.string(),
      type: z.string(),
      csp: z.string().optional(),
      immutable: z.boolean().default(false),
      encodings: z.array(z.enum(["br", "gz"])).default([]),
    }),
  ),
});

type Entry = z.infer<typeof Manifest>["files"][string];

const ENCODINGS = [
  { name: "br", suffix: "br" },
  { name: "gzip", suffix: "gz" },
] as const;

/** The dashboard's files: only those that its build lists exist, so no path leads anywhere else. */
export class Files {
  readonly #directory: string;
  readonly #entries: Map<string, Entry>;
  readonly #bodies = new Map<string, { bytes: Buffer; etag: string }>();

  private constructor(directory: string, entries: Map<string, Entry>) {
    this.#directory = directory;
    this.#entries = entries;
  }

  /** Undefined where the dashboard was not built. */
  static load(directory: string): Files | undefined {
    try {
      const { files } = Manifest.parse(JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")));
      return new Files(directory, new Map(Object.entries(files)));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw cause;
    }
  }

  answer(request: IncomingMessage, response: ServerResponse, path: string): void {
    const found = this.#entries.get(path);
    const entry = found ?? this.#entries.get("/404");
    if (!entry) return void response.writeHead(404, { "content-type": "text/plain" }).end("Not found.\n");
    const encoding = ENCODINGS.find(({ name, suffix }) => entry.encodings.includes(suffix) && accepts(request, name));
    const { bytes, etag } = this.#body(encoding ? `${entry.file}.${encoding.suffix}` : entry.file);
    const headers = {
      ...SECURITY_HEADERS,
      ...(entry.csp && { "content-security-policy": entry.csp }),
      ...(encoding && { "content-encoding": encoding.name }),
      "content-type": entry.type,
      "cache-control": entry.immutable && found ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      etag,
    };
    if (found && request.headers["if-none-match"] === etag) return void response.writeHead(304, headers).end();
    response.writeHead(found ? 200 : 404, { ...headers, "content-length": bytes.length });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }

  #body(file: string) {
    let body = this.#bodies.get(file);
    if (!body) {
      const bytes = readFileSync(join(this.#directory, file));
      body = { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
      this.#bodies.set(file, body);
    }
    return body;
  }
}

function accepts({ headers }: IncomingMessage, encoding: string): boolean {
  return String(headers["accept-encoding"] ?? "")
    .split(",")
    .some((part) => {
      const [name, ...parameters] = part.trim().split(";");
      return name === encoding && !parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
    });
}
