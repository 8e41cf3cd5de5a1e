import type { PacketSocket, SystemError } from "../src/addon.ts";

/** What a socket received so far, and a way to wait for more. */
export class Heard<Data> {
  packets: Data[] = [];
  fds: number[] = [];
  drains = 0;
  closed: Promise<SystemError | undefined>;
  #end!: (error: SystemError | undefined) => void;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  take(data: Data, fds: number[]) {
    this.packets.push(data);
    this.fds.push(...fds);
    for (const wait of this.#waiting) if (this.packets.length >= wait.count) wait.resolve();
  }

  end(error: SystemError | undefined) {
    this.#end(error);
  }

  /** Resolves when so many packets have come in all. */
  received(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.packets.length >= count) resolve();
      else this.#waiting.push({ count, resolve });
    });
  }
}

export function hear(socket: PacketSocket, { acceptFds = false } = {}): Heard<string> {
  const heard = new Heard<string>();
  socket.start({
    encoding: "utf8",
    acceptFds,
    onPacket: (data, fds) => heard.take(data, fds),
    onClose: (error) => heard.end(error),
    onDrain: () => {
      heard.drains += 1;
    },
  });
  return heard;
}

export function hearBytes(socket: PacketSocket): Heard<Uint8Array> {
  const heard = new Heard<Uint8Array>();
  socket.start({
    encoding: "bytes",
    acceptFds: false,
    onPacket: (data, fds) => heard.take(data, fds),
    onClose: (error) => heard.end(error),
  });
  return heard;
}
