import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectPacketSocket, PacketServer, type PacketSocket } from "../src/addon.ts";

/** A directory for sockets, gone at the end of the scope. */
export function directory(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "lendbuf-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A client and the socket by which its server knows it. */
export async function connection(): Promise<{
  client: PacketSocket;
  accepted: PacketSocket;
  [Symbol.dispose](): void;
}> {
  using folder = directory();
  const path = join(folder.path, "socket");
  const arrived = new Promise<{ server: PacketServer; accepted: PacketSocket }>((resolve, reject) => {
    const server: PacketServer = new PacketServer({
      path,
      mode: 0o600,
      onConnection: (accepted) => resolve({ server, accepted }),
      onError: reject,
    });
  });
  const client = connectPacketSocket(path);
  const { server, accepted } = await arrived;
  server.close();
  return {
    client,
    accepted,
    [Symbol.dispose]() {
      client.close();
      accepted.close();
    },
  };
}
