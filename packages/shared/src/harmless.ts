/** Control characters and overrides of the writing direction become "�": names, purposes and commands are other people's words. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
