import { z } from "zod";

const Count = z.number().nonnegative();

/** What the program that looks at /proc prints, a line each; packages/native/src/holders has it. */
export const Finding = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("process"),
    pid: Count,
    uid: Count,
    command: z.string(),
    /** Of each file: device, inode, descriptors, mappings, whether it is a dma-buf (1), and the first descriptors' numbers. */
    holds: z.array(z.tuple([Count, Count, Count, Count, Count], Count)),
  }),
  z.object({ kind: z.literal("dmabuf"), dev: Count, ino: Count, fdinfo: z.string() }),
  z.object({ kind: z.literal("end"), processes: Count, hidden: Count }),
  z.object({ kind: z.literal("bufinfo"), text: z.string().optional(), error: z.string().optional() }),
]);
export type Finding = z.infer<typeof Finding>;
