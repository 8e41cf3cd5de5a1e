"use client";
import type { AppRouter } from "@lendbuf/agent/router";
import { QueryClient } from "@tanstack/react-query";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";

export type Contact =
  | { state: "connecting" }
  | { state: "open" }
  /** Since when the agent has been out of touch, and how often it was tried again. */
  | { state: "lost"; since: number; attempts: number };

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 4000;

/** With what the agent closes a WebSocket whose session has ended. */
const SESSION_ENDED = 4401;
const SESSION_ENDED_WORDS = "Your session has ended: somebody ended it, or it was too old.";

/** The WebSocket to the agent: what it carries, and whether it is up. tRPC's own status of a subscription does not tell. */
export function openLink(key: string, onRefused: (problem: string) => void) {
  let contact: Contact = { state: "connecting" };
  const listeners = new Set<() => void>();
  const tell = (next: Contact) => {
    contact = next;
    for (const listener of listeners) listener();
  };
  const queries = new QueryClient({
    // The agent is on loopback: whether the browser believes to be online says nothing.
    defaultOptions: {
      queries: {
        networkMode: "always",
        retry: false,
        staleTime: Number.POSITIVE_INFINITY,
        refetchOnWindowFocus: false,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
  const { protocol, host } = window.location;
  const socket = createWSClient({
    url: `${protocol === "https:" ? "wss" : "ws"}://${host}/trpc`,
    connectionParams: { key },
    keepAlive: { enabled: true, intervalMs: 5000, pongTimeoutMs: 3000 },
    retryDelayMs: (attempt) => Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt),
    onOpen() {
      tell({ state: "open" });
      void queries.invalidateQueries();
    },
    onClose(cause) {
      if (cause?.code === SESSION_ENDED) return onRefused(SESSION_ENDED_WORDS);
      if (contact.state !== "open") void refusalOf(key).then((problem) => problem && onRefused(problem));
      tell(
        contact.state === "lost"
          ? { ...contact, attempts: contact.attempts + 1 }
          : { state: "lost", since: Date.now(), attempts: 0 },
      );
    },
  });
  return {
    queries,
    api: createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] }),
    contact: () => contact,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      listeners.clear();
      void socket.close();
      queries.clear();
    },
  };
}

/** Why the agent does not let this session in; undefined where it would, or does not answer. A browser does not tell why a WebSocket was refused. */
async function refusalOf(key: string): Promise<string | undefined> {
  const response = await fetch("/trpc/sessions.me", { headers: { "x-lendbuf-key": key } }).catch(() => undefined);
  if (response?.status !== 401) return undefined;
  const { error } = (await response.json()) as { error: { message: string } };
  return error.message;
}

export type Link = ReturnType<typeof openLink>;
