"use client";
import { usePathname, useSearchParams } from "next/navigation";
import { useCallback } from "react";

/** One parameter of the URL; a write replaces it there, without a new entry in the history. */
export function useSearchParam(name: string): [string, (value: string) => void] {
  const parameters = useSearchParams();
  const path = usePathname();
  const write = useCallback(
    (value: string) => {
      const next = new URLSearchParams(window.location.search);
      if (value) next.set(name, value);
      else next.delete(name);
      const query = next.toString().replaceAll("%2F", "/");
      window.history.replaceState(null, "", query ? `${path}?${query}` : path);
    },
    [name, path],
  );
  return [parameters.get(name) ?? "", write];
}
