// Next's static export, made ready to be served as it lies: dist/files, compressed beforehand, and dist/manifest.json,
// which says under which path each file is served, with which type and which Content-Security-Policy.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const OUT = join(HERE, "out");
const DIST = join(HERE, "dist");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".ico": "image/x-icon",
};
const COMPRESSED_ALREADY = new Set([".woff2", ".ico"]);

exportPages();
const files = {};
for (const file of exportedFiles()) files[urlOf(file)] = prepare(file);
writeFileSync(join(DIST, "manifest.json"), `${JSON.stringify({ files }, null, 1)}\n`);
report(files);

function exportPages() {
  const next = createRequire(import.meta.url).resolve("next/dist/bin/next");
  const env = { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
  const { status } = spawnSync(process.execPath, [next, "build"], { cwd: HERE, env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
  rmSync(DIST, { recursive: true, force: true });
  cpSync(OUT, DIST, { recursive: true });
}

function exportedFiles() {
  return readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(DIST.length + 1))
    .sort();
}

function urlOf(file) {
  if (extname(file) !== ".html") return `/${file}`;
  return file === "index.html" ? "/" : `/${file.slice(0, -".html".length)}`;
}

function prepare(file) {
  const extension = extname(file);
  const type = TYPES[extension];
  if (!type) throw new Error(`${file}: this build does not know the type of *${extension}; add it to TYPES.`);
  const path = join(DIST, file);
  const isPage = extension === ".html";
  if (isPage) writeFileSync(path, withoutPolyfills(readFileSync(path, "utf8")));
  const body = readFileSync(path);
  const encodings = COMPRESSED_ALREADY.has(extension) ? [] : compress(path, body);
  const immutable = file.startsWith("_next/static/");
  return { file, type, immutable, encodings, ...(isPage && { csp: policyFor(body.toString()) }) };
}

/** For engines without modules, which cannot run the rest either. */
function withoutPolyfills(html) {
  return html.replaceAll(/<script\b[^>]*\bnoModule=""[^>]*><\/script>/g, "");
}

function compress(path, body) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length };
  writeFileSync(`${path}.br`, brotliCompressSync(body, { params }));
  writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }));
  return ["br", "gz"];
}

/** Scripts of this origin, and of the inline ones exactly those that the page was built with. */
function policyFor(html) {
  const inline = [...html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)].filter(
    ([, attributes]) => !/\ssrc=/.test(attributes),
  );
  const hashes = inline.map(([, , script]) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  return [
    "default-src 'none'",
    `script-src ${["'self'", ...new Set(hashes)].join(" ")}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function report(files) {
  const html = readFileSync(join(DIST, files["/"].file), "utf8");
  const scripts = [...new Set([...html.matchAll(/<script\b[^>]*\ssrc="([^"]+)"/g)].map(([, url]) => url))];
  const bytes = scripts.reduce((sum, url) => sum + readFileSync(join(DIST, `${url}.br`)).length, 0);
  console.log(`First load: ${(bytes / 1024).toFixed(1)} KiB of scripts (brotli) in ${scripts.length} files.`);
}
