/** Whether a text is what a pattern says: `*` stands for anything, `?` for one character. In time that grows with their lengths alone. */
export function fits(pattern: string, text: string): boolean {
  let [at, star, resume] = [0, -1, 0];
  let index = 0;
  while (index < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = index;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Whether one of the patterns holds, and none that begins with `!`; where all begin so, whatever they leave. */
export function listHas(patterns: readonly string[], holds: (pattern: string) => boolean): boolean {
  const negative = patterns.filter((pattern) => pattern.startsWith("!"));
  if (negative.some((pattern) => holds(pattern.slice(1)))) return false;
  return negative.length === patterns.length || patterns.some((pattern) => !pattern.startsWith("!") && holds(pattern));
}
