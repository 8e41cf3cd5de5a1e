import { AgentError } from "@lendbuf/shared/errors";

/** What a warden cannot do is a refusal, of which `words` say what was asked; every other error stays. @throws AgentError UNSUPPORTED */
export async function orUnsupported<T>(answer: Promise<T>, words: string): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EOPNOTSUPP") throw cause;
    throw new AgentError("UNSUPPORTED", `${words}: ${(cause as Error).message}.`, { cause });
  }
}
