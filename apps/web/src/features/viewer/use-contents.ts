"use client";
import { useEffect, useRef, useState } from "react";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPCClient } from "../connection/trpc.ts";

const PERIOD_MS = 125;
const RETRY_MS = 2000;

export interface Memory {
  offset: number;
  bytes: Uint8Array;
  /** Wall-clock milliseconds at which they were so. */
  at: number;
}

export interface Reading {
  /** What was read last; stays when nothing more is. */
  memory: Memory | undefined;
  /** Why nothing is read. */
  problem: string | undefined;
}

/** Part of a buffer's memory, read again and again while somebody looks. */
export function useContents(name: string, offset: number, length: number, isHeld: boolean): Reading {
  const client = useTRPCClient();
  const isInTouch = useIsInTouch();
  const isVisible = useIsVisible();
  const [reading, setReading] = useState<Reading>({ memory: undefined, problem: undefined });
  const hasRead = useRef("");
  const wanted = `${name} ${offset} ${length}`;
  const isAsked = isInTouch && isVisible && length > 0 && !(isHeld && hasRead.current === wanted);

  useEffect(() => {
    if (!isAsked) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    async function read() {
      const start = performance.now();
      try {
        const { bytes, at } = await client.buffers.read.query({ name, offset, length }, { signal: stop.signal });
        if (stop.signal.aborted) return;
        hasRead.current = wanted;
        setReading({ memory: { offset, bytes: decode(bytes), at }, problem: undefined });
        if (!isHeld) timer = setTimeout(read, Math.max(0, PERIOD_MS - (performance.now() - start)));
      } catch (cause) {
        if (stop.signal.aborted) return;
        setReading(({ memory }) => ({ memory, problem: (cause as Error).message }));
        timer = setTimeout(read, RETRY_MS);
      }
    }
    void read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [client, isAsked, isHeld, name, offset, length, wanted]);

  if (!isInTouch) return { ...reading, problem: "The agent is out of touch." };
  return reading;
}

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function useIsVisible(): boolean {
  const [isVisible, setVisible] = useState(true);
  useEffect(() => {
    const look = () => setVisible(document.visibilityState === "visible");
    look();
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return isVisible;
}
