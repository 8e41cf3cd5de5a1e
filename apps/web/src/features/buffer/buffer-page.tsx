"use client";
import { useSearchParam } from "../../ui/use-search-param.ts";

export function BufferPage() {
  const [name] = useSearchParam("id");
  return <h1>{name}</h1>;
}
