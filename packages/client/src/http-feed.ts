import { once } from "node:events";
import { ConnectionLost, DoorRefusal, errorFromWire, unreachable, type WireError } from "./errors.ts";
import type { Feed } from "./feed.ts";

/** Codes of the WebSocket's close, as docs/http.md has them. */
const SIGNED_OUT = 4401;

interface Message {
  /** What has an `id`, the audit's entries, comes in an envelope: `{ id, data }`. */
  result?: { type: "started" | "stopped" | "data"; id?: string; data?: unknown };
  error?: WireError;
}

/** Fills a feed from a subscription over a WebSocket of its own, until it ends or is stopped. Never rejects: the feed has the error. */
export async function follow(
  url: string,
  headers: Record<string, string>,
  params: { path: string; input: object },
  feed: Feed<unknown>,
  stop: AbortSignal,
): Promise<void> {
  try {
    // Loaded only now: most programs call and leave.
    const { WebSocket } = await import("ws");
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/trpc`, { headers });
    stop.addEventListener("abort", () => socket.terminate(), { once: true });
    socket.on("error", (error) => feed.end(unreachable(url, error)));
    socket.on("unexpected-response", (_request, response) => {
      feed.end(new DoorRefusal(String(response.statusCode), refusalOf(url, response.statusCode)));
      socket.terminate();
    });
    socket.on("message", (bytes) => {
      const text = String(bytes);
      if (text === "PING") socket.send("PONG");
      else if (!take(JSON.parse(text) as Message, feed)) socket.close();
    });
    socket.on("close", (code) => feed.end(closedBy(url, code)));
    await once(socket, "open", { signal: stop });
    socket.send(JSON.stringify({ id: 1, method: "subscription", params }));
  } catch (error) {
    feed.end(error); // what ended it before counts
  }
}

/** Whether more is to come. */
function take({ result, error }: Message, feed: Feed<unknown>): boolean {
  if (error) feed.end(errorFromWire(error));
  else if (result?.type === "stopped") feed.end();
  else if (result?.type === "data")
    feed.push(result.id === undefined ? result.data : (result.data as { data: unknown }).data);
  return !error && result?.type !== "stopped";
}

function refusalOf(url: string, status: number | undefined): string {
  return status === 401
    ? `The agent at ${url} does not know this token, or it has ended. Make another there: lendbuf token create NAME`
    : `The agent at ${url} refuses a WebSocket (status ${status}).`;
}

function closedBy(url: string, code: number): Error {
  return code === SIGNED_OUT
    ? new DoorRefusal("UNAUTHORIZED", `The token for ${url} has ended.`)
    : new ConnectionLost(`The connection to the agent at ${url} was lost.`);
}
