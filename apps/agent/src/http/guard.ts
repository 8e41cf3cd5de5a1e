import type { IncomingMessage } from "node:http";
import type { Place } from "./place.ts";

/** Why a request is turned away before anything else of it is looked at. */
export interface Refusal {
  status: number;
  code: string;
  message: string;
}

/**
 * What every request and upgrade must pass, whatever it is for: any page of the web can reach a port of this host, and a name
 * can be rebound to this address, but neither can forge what the browser writes into Host and Origin.
 */
export function guard(request: IncomingMessage, { scheme, hosts }: Place): Refusal | undefined {
  const { headers, headersDistinct, method } = request;
  // Of two, Node takes the first and somebody on the way may have taken the second.
  if (headersDistinct.host?.length !== 1 || !hosts.includes(headers.host!)) {
    return { status: 421, code: "WRONG_HOST", message: `This agent answers at ${hosts.join(" and ")} only.` };
  }
  // Not either of our names: on [::1] another program may answer as localhost at our port.
  if (headers.origin !== undefined && headers.origin !== `${scheme}://${headers.host}`) return FOREIGN;
  const isRead = method === "GET" || method === "HEAD";
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none" && !isRead) return FOREIGN;
  return undefined;
}

const FOREIGN: Refusal = { status: 403, code: "FOREIGN_ORIGIN", message: "Pages of other origins have no access." };
