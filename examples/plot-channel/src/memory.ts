import { connect } from "@lendbuf/client/connect";
import { Mapping } from "@lendbuf/native/addon";

/** Memory to look at, and a way to hear why it went away. */
export interface Memory {
  name: string;
  mapping: Mapping;
  whyGone(): Promise<string>;
  giveBack(): Promise<void>;
}

/** What `lendbuf exec` handed us, or else a buffer that we borrow ourselves. */
export async function openMemory(buffer: string): Promise<Memory> {
  const { LENDBUF_FD, LENDBUF_SIZE, LENDBUF_BUFFER } = process.env;
  if (!LENDBUF_FD) return borrow(buffer);
  const mapping = new Mapping(Number(LENDBUF_FD), { length: Number(LENDBUF_SIZE), writable: false });
  return {
    name: LENDBUF_BUFFER ?? `descriptor ${LENDBUF_FD}`,
    mapping,
    whyGone: async () => "lendbuf exec says why",
    giveBack: async () => mapping.close(),
  };
}

async function borrow(buffer: string): Promise<Memory> {
  const agent = await connect();
  const request = { buffer, access: "read-only", leaseMs: 600_000, purpose: "plot-channel" } as const;
  const lease = await agent.borrow(request).catch((error: unknown) => {
    agent.close();
    throw error;
  });
  const { id } = lease.delegation;
  return {
    name: buffer,
    mapping: lease.map(),
    whyGone: async () => {
      try {
        const { state, reason, proof } = await agent.call("delegations.get", { id });
        return `${state}: ${reason}${proof ? `, confirmed by ${proof.method}, ${proof.probe}` : ""}`;
      } catch (error) {
        return (error as Error).message;
      }
    },
    giveBack: async () => {
      await lease.release().catch(() => {});
      agent.close();
    },
  };
}
