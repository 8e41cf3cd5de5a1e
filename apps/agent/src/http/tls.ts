import { createServer, type Server } from "node:https";
import type { Deadlines } from "../clock/deadlines.ts";
import type { Log } from "../log.ts";
import { type Certificate, type CertificateFiles, fingerprintOf, readCertificate } from "./certificate.ts";
import { SERVER_LIMITS } from "./limits.ts";

const LOOK_AGAIN_MS = 2000;
const HANDSHAKE_MS = 5000;

/** A server with the operator's certificate, which is taken up anew when its files change: nobody restarts an agent for that. */
export class TlsServer {
  readonly server: Server;
  readonly #files: CertificateFiles;
  readonly #clock: Deadlines;
  readonly #log: Log;
  #certificate: Certificate;
  #seen: string;

  /** @throws CertificateError */
  constructor(files: CertificateFiles, clock: Deadlines, log: Log) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    this.#seen = fingerprintOf(files);
    this.#certificate = readCertificate(files);
    const { cert, key } = this.#certificate;
    this.server = createServer({ ...SERVER_LIMITS, cert, key, minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_MS });
    this.#lookAgain();
  }

  get names(): readonly string[] {
    return this.#certificate.names;
  }

  #lookAgain(): void {
    this.#clock.after(LOOK_AGAIN_MS, () => {
      const found = fingerprintOf(this.#files);
      if (found !== this.#seen) this.#takeUp(found);
      this.#lookAgain();
    });
  }

  #takeUp(found: string): void {
    this.#seen = found;
    try {
      this.#certificate = readCertificate(this.#files);
      this.server.setSecureContext(this.#certificate);
      const { names, expiresAt } = this.#certificate;
      this.#log.info({ names, expiresAt: new Date(expiresAt) }, "a new certificate is in use");
    } catch (cause) {
      // The key may still be on its way; the files' next change is looked at too.
      this.#log.warn({ cause }, "a new certificate cannot be used; the one before stays");
    }
  }
}
