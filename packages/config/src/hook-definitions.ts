// What an operator may have run between borrowers: the schema of --hooks, in one place.
import { BUFFER_NAME } from "@lendbuf/shared/buffer";
import { parseDuration } from "@lendbuf/shared/duration";
import { z } from "zod";

export const HOOK_EVENTS = ["before-lend", "after-end"] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

const Place = z.string().regex(BUFFER_NAME, "a buffer's or device's name");
const MAX_TIMEOUT_MS = 3_600_000;

const Timeout = z
  .string()
  .default("10s")
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms && ms <= MAX_TIMEOUT_MS) return ms;
    context.addIssue(`"${text}" is no time such as 90s or 5m, up to an hour`);
    return z.NEVER;
  });

const HookDefinition = z
  .strictObject({
    /** By which the log and the audit speak of it. */
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "letters, digits and . _ -"),
    on: z.enum(HOOK_EVENTS),
    /** Of which buffer, or of all of which device. */
    buffer: Place.optional(),
    device: Place.optional(),
    /** The program's absolute path, and its arguments as they are: there is no shell. */
    command: z
      .array(z.string().max(4096))
      .min(1)
      .max(64)
      .refine(([program]) => program?.startsWith("/"), "begins with the program's absolute path"),
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4096))
      .refine((given) => !Object.keys(given).some((name) => name.startsWith("LENDBUF_")), "LENDBUF_ names are ours")
      .default({}),
    timeout: Timeout,
    /** What a failure means: told, and the buffer lent to nobody until an operator lifts that, or not even told. */
    failure: z.enum(["warn", "hold", "ignore"]).default("warn"),
    /** As whom it runs where the agent is root; else it has the agent's uid. */
    uid: z.int().min(1).max(4_294_967_294).default(65_534),
  })
  .refine(({ buffer, device }) => (buffer === undefined) !== (device === undefined), "name a buffer or a device");

export type Hook = z.output<typeof HookDefinition>;

const HooksFile = z.strictObject({ hooks: z.array(HookDefinition).max(256) }).refine(({ hooks }) => {
  const names = hooks.map(({ name }) => name);
  return new Set(names).size === names.length;
}, "two hooks have the same name");

/** @throws z.ZodError */
export function parseHooks(value: unknown): Hook[] {
  return HooksFile.parse(value).hooks;
}
