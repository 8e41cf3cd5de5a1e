/** A WebSocket for an agent that takes one request a message; tRPC's client sends those of one moment as one. */
export function singleMessageSocket(): typeof WebSocket {
  return class extends WebSocket {
    override send(data: string): void {
      const messages: unknown = data.startsWith("[") ? JSON.parse(data) : undefined;
      if (!Array.isArray(messages)) return super.send(data);
      for (const message of messages) super.send(JSON.stringify(message));
    }
  };
}
