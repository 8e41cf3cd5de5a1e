import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isIPv6 } from "node:net";

/** A certificate or key file that cannot be used. */
export class CertificateError extends Error {}

export interface CertificateFiles {
  cert: string;
  key: string;
}

/** An operator's certificate with its key, as its files have them now. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The names and addresses that it is good for, as a URL has them; wildcards are none. */
  readonly names: readonly string[];
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** @throws CertificateError: what is wrong with which file, and what to do */
export function readCertificate(files: CertificateFiles, now = Date.now()): Certificate {
  const cert = read(files.cert, "certificate");
  const key = read(files.key, "key");
  const parsed = parse(files.cert, () => new X509Certificate(cert));
  const secret = parse(files.key, () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(secret))
    throw new CertificateError(`The key ${files.key} does not belong to the certificate ${files.cert}.`);
  const expiresAt = Date.parse(parsed.validTo);
  if (expiresAt <= now)
    throw new CertificateError(`The certificate ${files.cert} ended at ${parsed.validTo}. Put a new one in its place.`);
  const names = namesOf(parsed);
  if (names.length === 0)
    throw new CertificateError(
      `The certificate ${files.cert} names no host (subjectAltName), so nobody could be sure of this agent. Have one made for this host's name.`,
    );
  return { cert, key, names, expiresAt };
}

/** Changes when one of the files is written or replaced. */
export function fingerprintOf({ cert, key }: CertificateFiles): string {
  return [cert, key]
    .map((file) => {
      const { ino, mtimeMs, size } = statSync(file, { throwIfNoEntry: false }) ?? {};
      return `${ino}:${mtimeMs}:${size}`;
    })
    .join(" ");
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new CertificateError(`The ${what} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

function parse<Parsed>(file: string, parser: () => Parsed): Parsed {
  try {
    return parser();
  } catch (cause) {
    throw new CertificateError(`${file} is not what it should be, in PEM: ${(cause as Error).message}.`, { cause });
  }
}

function namesOf({ subjectAltName = "" }: X509Certificate): string[] {
  return subjectAltName.split(", ").flatMap((entry) => {
    const [, kind, name = ""] = /^(DNS|IP Address):(.+)$/.exec(entry) ?? [];
    if (kind === undefined || name.includes("*")) return [];
    return [isIPv6(name) ? new URL(`https://[${name}]`).hostname.slice(1, -1) : name.toLowerCase()];
  });
}
