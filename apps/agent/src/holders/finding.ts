import { z } from "zod";

const Count = z.number().nonnegative();
const Key = { dev: Count, ino: Count };

/** What the program that looks at /proc prints, a line each; packages/native/src/holders has it. */
export const Finding = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("holder"),
    ...Key,
    pid: Count,
    uid: Count,
    command: z.string(),
    fds: z.array(Count),
    fdCount: Count,
    mappingCount: Count,
    isDmaBuf: z.boolean(),
  }),
  z.object({ kind: z.literal("dmabuf"), ...Key, fdinfo: z.string() }),
  z.object({ kind: z.literal("end"), processes: Count, hidden: Count }),
  z.object({ kind: z.literal("bufinfo"), text: z.string().optional(), error: z.string().optional() }),
]);
export type Finding = z.infer<typeof Finding>;
