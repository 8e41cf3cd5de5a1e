import { closeSync, rmSync } from "node:fs";
import { connectPacketSocket, isSystemError, PacketServer, type PacketSocket } from "@lendbuf/native/addon";

/** Stands between a client and the agent, passes on every packet with its fds, and notes which methods were called. */
export class Recorder implements Disposable {
  readonly socket: string;
  readonly #called: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #server: PacketServer;

  constructor(agentSocket: string) {
    this.socket = `${agentSocket}.recorder`;
    this.#server = new PacketServer({
      path: this.socket,
      mode: 0o600,
      onError: (error) => console.error(error),
      onConnection: (client) => {
        const agent = connectPacketSocket(agentSocket);
        agent.start({
          encoding: "utf8",
          acceptFds: true,
          onPacket: (text, fds) => {
            pass(client, text, fds);
            for (const fd of fds) closeSync(fd);
          },
          onClose: () => client.close(),
        });
        client.start({
          encoding: "utf8",
          acceptFds: false,
          onPacket: (text) => {
            this.#note(JSON.parse(text).method);
            pass(agent, text);
          },
          onClose: () => agent.close(),
        });
      },
    });
  }

  /** Resolves once the method was called, or has been. */
  async sees(method: string): Promise<void> {
    while (!this.#called.includes(method)) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #note(method: string): void {
    this.#called.push(method);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    rmSync(this.socket, { force: true });
  }
}

/** A receiver that is gone closes its own side next. */
function pass(to: PacketSocket, text: string, fds: number[] = []): void {
  try {
    to.send(text, fds);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
