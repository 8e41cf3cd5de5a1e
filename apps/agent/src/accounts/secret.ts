import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 random bits: not to be guessed, so a plain hash of it is enough to keep. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

export function newId(): string {
  return randomBytes(6).toString("hex");
}

export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

export function fitsHash(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret)), Buffer.from(hash));
}
