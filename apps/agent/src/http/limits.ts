import type { Server } from "node:http";
import type { Socket } from "node:net";

/** What a client of any of our servers may take, in time and bytes. */
export const SERVER_LIMITS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000, // else these two are looked at every 30 s
  keepAliveTimeout: 10_000,
  maxHeaderSize: 16_384,
};

const MAX_CONNECTIONS = 1024;
const UNREAD_MS = 30_000;
const MAX_PER_ADDRESS = 128;

/** `fileLimit`: open files that this process may have; most of them are for what is lent. */
export function limitConnections(server: Server, fileLimit: number): void {
  server.timeout = UNREAD_MS; // for those who do not read their answer
  server.maxConnections = Math.min(MAX_CONNECTIONS, Math.floor(fileLimit / 4));
}

/** So that one address does not take all. */
export function limitAddresses(server: Server): void {
  const counts = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress = "" } = socket;
    const count = counts.get(remoteAddress) ?? 0;
    if (count >= MAX_PER_ADDRESS) return void socket.destroy();
    counts.set(remoteAddress, count + 1);
    socket.once("close", () => {
      const left = counts.get(remoteAddress)! - 1;
      if (left > 0) counts.set(remoteAddress, left);
      else counts.delete(remoteAddress);
    });
  });
}
