/** A link's secret, or a name and a password. */
export type Proof = { secret: string } | { account: string; password: string; newPassword?: string };

/** The password is right, and must be changed before it lets anybody in. */
export class NewPasswordNeeded extends Error {}

/** Trades a proof for the session's key; the session's cookie comes along. @throws NewPasswordNeeded, Error with the agent's words */
export async function logIn(proof: Proof): Promise<string> {
  const { key, error, status } = await post("/login", "secret" in proof ? { ...proof, ...takeKept() } : proof);
  if (typeof key === "string") return key;
  if (error?.code === "NEW_PASSWORD") throw new NewPasswordNeeded(error.message);
  throw new Error(
    error?.message ?? `The agent answered ${status}, and not why. Its log says more: see \`lendbuf status\`.`,
  );
}

/** Where only this page's origin finds it again when the provider sends the browser back. */
const KEPT_AS = "lendbuf.provider";

/** Goes to the identity provider, and leaves this page. @throws Error with the agent's words */
export async function goToProvider(): Promise<void> {
  const { url, page, error } = await post("/login/oidc", {});
  if (typeof url !== "string" || typeof page !== "string")
    throw new Error(error?.message ?? "The agent does not say where.");
  sessionStorage.setItem(KEPT_AS, page);
  window.location.assign(url);
}

function takeKept(): { page?: string } {
  const page = sessionStorage.getItem(KEPT_AS);
  sessionStorage.removeItem(KEPT_AS);
  return page ? { page } : {};
}

/** What the provider is called by which one may sign in; null where there is none, or the agent does not answer. */
export async function providerName(): Promise<string | null> {
  try {
    const answer = (await (await fetch("/login")).json()) as { oidc: { name: string } | null };
    return answer.oidc?.name ?? null;
  } catch {
    return null;
  }
}

interface Answer {
  status: number;
  key?: unknown;
  url?: unknown;
  page?: unknown;
  error?: { code: string; message: string };
}

async function post(path: string, body: object): Promise<Answer> {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-lendbuf": "1" },
      body: JSON.stringify(body),
    });
    return { ...((await response.json().catch(() => ({}))) as object), status: response.status };
  } catch (cause) {
    throw new Error("The agent does not answer. Is it running? `npm start` starts it.", { cause });
  }
}
