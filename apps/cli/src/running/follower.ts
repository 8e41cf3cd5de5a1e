import { harmless } from "@lendbuf/shared/harmless";
import { notify, tell } from "../output/print.ts";
import type { Follower } from "./follow.ts";

/** Sentences for people, or with --json each state as a line; on stderr, since stdout is the command's. */
export function followerOnStderr(json: boolean): Follower {
  const tellJson = (value: object) => tell(`${JSON.stringify(value)}\n`);
  if (json)
    return {
      onNotice: () => {},
      onState: tellJson,
      onLost: (message) => tellJson({ error: { code: "CONNECTION_LOST", message } }),
    };
  return { onNotice: (notice) => notify(`lendbuf: ${harmless(notice)}\n`) };
}
