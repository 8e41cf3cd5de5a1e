/** Where the inline script leaves the secret of a login link for the session to pick up. */
const LEFT_IN = "lendbufLoginSecret";

/** Runs before anything else of the page: the secret must not stay in the address bar, the history, or a bookmark. */
export const TAKE_SECRET = `if(location.hash.startsWith("#login=")){window.${LEFT_IN}=location.hash.slice(7);history.replaceState(null,"",location.pathname+location.search)}`;

/** The login link's secret, once. */
export function takeSecret(): string | undefined {
  const left = window as unknown as Record<string, string | undefined>;
  const secret = left[LEFT_IN];
  delete left[LEFT_IN];
  return secret ?? takeFromAddress();
}

/** A link that is opened in a tab of this page changes the fragment only, and loads nothing. */
function takeFromAddress(): string | undefined {
  const secret = secretOf(window.location.hash);
  if (secret) window.history.replaceState(null, "", window.location.pathname + window.location.search);
  return secret;
}

/** The secret in what a person pastes: the whole link, or only its end. */
export function secretOf(pasted: string): string | undefined {
  const text = pasted.trim();
  const [, inLink] = /#login=(\S+)$/.exec(text) ?? [];
  return inLink ?? (/^[\w-]{16,}$/.test(text) ? text : undefined);
}
