import { adoptPacketSocket, type PacketSocket, packetSocketPair } from "../src/addon.ts";

/** Both ends of a connection, in this process; closed at the end of the scope. */
export function pair(): { left: PacketSocket; right: PacketSocket; [Symbol.dispose](): void } {
  const { socket: left, fd } = packetSocketPair();
  const right = adoptPacketSocket(fd);
  return {
    left,
    right,
    [Symbol.dispose]() {
      left.close();
      right.close();
    },
  };
}
