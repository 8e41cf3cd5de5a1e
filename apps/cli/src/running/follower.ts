import { harmless } from "@lendbuf/shared/harmless";
import { notify, tell } from "../output/print.ts";
import type { Follower } from "./follow.ts";

/** Sentences for people, or with --json each state as a line; on stderr, since stdout is the command's. */
export function followerOnStderr(json: boolean): Follower {
  if (json) return { onNotice: () => {}, onState: (delegation) => tell(`${JSON.stringify(delegation)}\n`) };
  return { onNotice: (notice) => notify(`lendbuf: ${harmless(notice)}\n`) };
}
