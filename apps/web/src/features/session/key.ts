// The key that, with the cookie, proves this browser's session. It lives as long as the tab; tabs of one browser lend it to each other.

const STORED_AS = "lendbuf.key";
/** As long as a tab that has the key may take to answer. */
const ANSWER_MS = 250;

type Message = { type: "who-has-the-key" } | { type: "key"; key: string } | { type: "signed-out" };

export function storedKey(): string | undefined {
  return sessionStorage.getItem(STORED_AS) ?? undefined;
}

export function storeKey(key: string): void {
  sessionStorage.setItem(STORED_AS, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORED_AS);
}

function openChannel(): BroadcastChannel {
  return new BroadcastChannel("lendbuf.session");
}

/** The key of another tab, if there is one that has it. */
export async function askOtherTabs(): Promise<string | undefined> {
  const channel = openChannel();
  try {
    return await new Promise((resolve) => {
      setTimeout(() => resolve(undefined), ANSWER_MS);
      channel.onmessage = ({ data }: MessageEvent<Message>) => data.type === "key" && resolve(data.key);
      channel.postMessage({ type: "who-has-the-key" } satisfies Message);
    });
  } finally {
    channel.close();
  }
}

/** Lends the key to tabs that ask, and hears when one of them signs out. Returns what ends it. */
export function answerOtherTabs(signedOut: () => void): () => void {
  const channel = openChannel();
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    const key = storedKey();
    if (data.type === "who-has-the-key" && key) channel.postMessage({ type: "key", key } satisfies Message);
    if (data.type === "signed-out") signedOut();
  };
  return () => channel.close();
}

export function tellOtherTabsSignedOut(): void {
  const channel = openChannel();
  channel.postMessage({ type: "signed-out" } satisfies Message);
  channel.close();
}
