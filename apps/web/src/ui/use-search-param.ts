"use client";
import { usePathname, useSearchParams } from "next/navigation";
import { useCallback, useEffect, useState } from "react";

/** One parameter of the URL; a write replaces it there, without a new entry in the history. */
export function useSearchParam(name: string): [string, (value: string) => void] {
  const parameters = useSearchParams();
  const path = usePathname();
  const write = useCallback((value: string) => writeParameter(path, name, value), [name, path]);
  return [parameters.get(name) ?? "", write];
}

/** Browsers refuse to write the address more often than some hundred times in half a minute. */
const SETTLE_MS = 200;

/** A text that somebody types: here at once, in the URL once it has settled. */
export function useTypedSearchParam(name: string): [string, (value: string) => void] {
  const [inUrl, write] = useSearchParam(name);
  const [typed, setTyped] = useState(inUrl);
  useEffect(() => {
    const timer = setTimeout(() => write(typed), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [typed, write]);
  useEffect(() => {
    const goBack = () => setTyped(new URLSearchParams(window.location.search).get(name) ?? "");
    window.addEventListener("popstate", goBack);
    return () => window.removeEventListener("popstate", goBack);
  }, [name]);
  return [typed, setTyped];
}

function writeParameter(path: string, name: string, value: string): void {
  const next = new URLSearchParams(window.location.search);
  if ((next.get(name) ?? "") === value) return;
  if (value) next.set(name, value);
  else next.delete(name);
  const query = next.toString().replaceAll("%2F", "/");
  window.history.replaceState(null, "", query ? `${path}?${query}` : path);
}
