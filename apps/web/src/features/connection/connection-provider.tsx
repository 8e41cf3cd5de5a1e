"use client";
import { QueryClientProvider } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { useSessionControl } from "../session/session.ts";
import { type Contact, type Link, openLink } from "./link.ts";
import { LiveProvider } from "./live.tsx";
import { TRPCProvider } from "./trpc.ts";

const LinkContext = createContext<Link | undefined>(undefined);

/** Whether the agent is in touch, as the WebSocket tells. */
export function useContact(): Contact {
  const link = useContext(LinkContext);
  if (!link) throw new Error("outside of the connection");
  return useSyncExternalStore(link.subscribe, link.contact, link.contact);
}

/** Whether the agent can be asked to do something now. */
export function useIsInTouch(): boolean {
  return useContact().state === "open";
}

export function ConnectionProvider({ apiKey, children }: { apiKey: string; children: ReactNode }) {
  const { signOut } = useSessionControl();
  const [link, setLink] = useState<Link>();
  useEffect(() => {
    const opened = openLink(apiKey, signOut);
    setLink(opened);
    return () => opened.close();
  }, [apiKey, signOut]);
  if (!link) return null;
  return (
    <LinkContext value={link}>
      <QueryClientProvider client={link.queries}>
        <TRPCProvider queryClient={link.queries} trpcClient={link.api}>
          <LiveProvider>{children}</LiveProvider>
        </TRPCProvider>
      </QueryClientProvider>
    </LinkContext>
  );
}
