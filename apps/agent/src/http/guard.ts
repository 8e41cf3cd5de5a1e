import type { IncomingMessage } from "node:http";

/** Why a request is turned away before anything else of it is looked at. */
export interface Refusal {
  status: number;
  code: string;
  message: string;
}

/**
 * What every request and upgrade must pass, whatever it is for: any page of the web can reach a port of this host, and a name
 * can be rebound to 127.0.0.1, but neither can forge what the browser writes into Host and Origin.
 */
export function guard({ headers, headersDistinct, method }: IncomingMessage, port: number): Refusal | undefined {
  const names = [`127.0.0.1:${port}`, `localhost:${port}`];
  // Of two, Node takes the first and somebody on the way may have taken the second.
  if (headersDistinct.host?.length !== 1 || !names.includes(headers.host!)) {
    return { status: 421, code: "WRONG_HOST", message: `This agent answers at ${names.join(" and ")} only.` };
  }
  // Not either of our names: on [::1] another program may answer as localhost at our port.
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`) return FOREIGN;
  const isRead = method === "GET" || method === "HEAD";
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none" && !isRead) return FOREIGN;
  return undefined;
}

const FOREIGN: Refusal = { status: 403, code: "FOREIGN_ORIGIN", message: "Pages of other origins have no access." };
