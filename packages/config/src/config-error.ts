/** The command line, the environment or the file says something that cannot be; one line for each such thing. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const all = typeof problems === "string" ? [problems] : problems;
    super(all.join("\n"), options);
    this.problems = all;
  }
}
