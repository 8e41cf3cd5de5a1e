import { once } from "node:events";
import { WebSocket } from "ws";

/** Collects all garbage of the Node process whose inspector listens there, then reads how much its JavaScript heap holds. Rejects where it ends meanwhile. */
export async function liveHeapBytes(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  await once(socket, "open");
  const ended = new AbortController();
  socket.once("close", () => ended.abort(new Error("the process has ended")));
  const ask = async (id: number, method: string) => {
    socket.send(JSON.stringify({ id, method }));
    for (;;) {
      const [data] = await once(socket, "message", { signal: ended.signal });
      const answer = JSON.parse(String(data));
      if (answer.id === id) return answer.result;
    }
  };
  await ask(1, "HeapProfiler.collectGarbage");
  const { usedSize } = await ask(2, "Runtime.getHeapUsage");
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return usedSize;
}
