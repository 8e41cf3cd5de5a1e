import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Core } from "../core.ts";

/** The door over HTTP, on loopback: so far it says whether the agent is well. */
export class HealthServer {
  readonly #server: Server;

  constructor(core: Core) {
    this.#server = createServer((request, response) => {
      const { port } = this.#server.address() as AddressInfo;
      // A page that has rebound its name to 127.0.0.1 sends that name here.
      if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host ?? ""))
        return void response.writeHead(421).end();
      response.setHeader("content-type", "application/json");
      response.setHeader("cache-control", "no-store");
      if (request.url !== "/healthz")
        return void response
          .writeHead(404)
          .end('{"error":"This agent answers at /healthz, and to programs at its unix socket."}\n');
      const isWell = !core.store.problem && [...core.devices.values()].every((device) => device.isReady);
      response.writeHead(isWell ? 200 : 503).end(`${JSON.stringify({ ok: isWell, version: core.version })}\n`);
    });
    this.#server.requestTimeout = 5000;
    this.#server.maxConnections = 64;
  }

  /** Resolves with the door's URL. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () =>
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`),
      );
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
