import type { Role, Scope } from "./role.ts";

/** Who the agent takes the caller for. */
export interface Identity {
  /** `alice`; `uid:1000` where no account names the uid. */
  account: string;
  /** Of a uid: its name on the agent's host, where it has one. */
  name: string | null;
  /** What it may do through this door: a token's scope may be less than its account's. */
  role: Role;
  /** So that a page knows whether to ask for the old one. */
  hasPassword: boolean;
}

/** A way into the dashboard that works once. */
export interface LoginLink {
  /** Its secret stands in the fragment, which browsers do not send. */
  url: string;
  /** Wall-clock milliseconds. */
  expiresAt: number;
}

/** A browser that has logged in. */
export interface Session {
  id: string;
  account: string;
  createdAt: number;
  expiresAt: number;
  /** The caller's own. */
  isCurrent: boolean;
}

/** A script's way in over HTTP; its secret is shown once, when it is made. */
export interface Token {
  id: string;
  name: string;
  account: string;
  scope: Scope;
  createdAt: number;
  expiresAt: number;
}
