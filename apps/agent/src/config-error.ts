/** The command line or the environment says something that cannot be. */
export class ConfigError extends Error {}

/** What was given for an option, and where: `--port`, or a variable. */
export type Given = { value: string; from: string } | undefined;
