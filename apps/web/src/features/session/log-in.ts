/** Trades a login link's secret for the session's key; the session's cookie comes along. @throws Error with the agent's words */
export async function logIn(secret: string): Promise<string> {
  const response = await post(secret);
  const answer = (await response.json().catch(() => undefined)) as
    | { key?: string; error?: { message: string } }
    | undefined;
  if (response.ok && answer?.key) return answer.key;
  throw new Error(
    answer?.error?.message ??
      `The agent answered ${response.status}, and not why. Its log says more: see \`lendbuf status\`.`,
  );
}

async function post(secret: string): Promise<Response> {
  try {
    return await fetch("/login", {
      method: "POST",
      headers: { "content-type": "application/json", "x-lendbuf": "1" },
      body: JSON.stringify({ secret }),
    });
  } catch (cause) {
    throw new Error("The agent does not answer. Is it running? `npm start` starts it.", { cause });
  }
}
