import type { Connection } from "@lendbuf/client/connection";
import { Door } from "../door-client.ts";
import type { AgentProcess } from "../harness.ts";
import { type Answer, ConnectionGone, type Worker } from "./worker.ts";

/** A script elsewhere: it asks over HTTP, with a token of its account's, and is handed no memory. */
export async function startHttp(agent: AgentProcess, operator: Connection, account: string): Promise<Worker> {
  const { id, token } = await operator.call("tokens.create", { account, name: "soak" }).catch(gone);
  const door = new Door(agent);
  const call = async (method: string, input: object): Promise<Answer> => {
    const { status, json } = await door.call(method, input, { authorization: `Bearer ${token}` }).catch(gone);
    if (status === 401) throw new ConnectionGone("the token is good no more");
    const { result, error } = json;
    if (!error) return { result: result.data, handle: -1 };
    return { error: { code: error.data.code, message: error.message }, handle: -1 };
  };
  const lend = () => Promise.reject(new Error("HTTP carries no memory"));
  return {
    kind: "HTTP",
    call,
    lend,
    touch: lend,
    forget: () => {},
    kill: async () => void (await operator.call("tokens.remove", { id }).catch(() => {})), // it may have gone with its account
  };
}

function gone(cause: unknown): never {
  throw new ConnectionGone((cause as Error).message, { cause });
}
