import { setTimeout as delay } from "node:timers/promises";
import { connectPacketSocket, isSystemError, type PacketSocket } from "@lendbuf/native/addon";

const TRY_AGAIN_MS = 50;

interface Place {
  path: string;
  /** Whose agent it was: nobody else's will do. */
  uid: number;
  /** Of performance.now(). */
  until: number;
  /** Nobody wants it any more. */
  isOver(): boolean;
  /** Whether the wait keeps the process alive. */
  isRef(): boolean;
}

/** Connects to the agent that follows the one that was lost; undefined where none does in time. */
export async function reconnect({ path, uid, until, isOver, isRef }: Place): Promise<PacketSocket | undefined> {
  while (!isOver()) {
    const socket = tryPath(path);
    if (socket?.peer.uid === uid) return socket;
    socket?.close();
    if (performance.now() >= until) return undefined;
    await delay(TRY_AGAIN_MS, undefined, { ref: isRef() });
  }
  return undefined;
}

function tryPath(path: string): PacketSocket | undefined {
  try {
    return connectPacketSocket(path);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
