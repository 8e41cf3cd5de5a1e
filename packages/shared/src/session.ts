/** Who the agent takes the caller for. */
export interface Identity {
  /** `uid:1000` */
  account: string;
  /** Its name on the agent's host, where it has one. */
  name: string | null;
  /** May see and end everybody's delegations. */
  isOperator: boolean;
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

/** `calendar`: it reads /calendar.ics and nothing else, so that it may stand in an address. */
export const TOKEN_SCOPES = ["all", "calendar"] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

/** A script's way in over HTTP; its secret is shown once, when it is made. */
export interface Token {
  id: string;
  name: string;
  account: string;
  scope: TokenScope;
  createdAt: number;
  expiresAt: number;
}
