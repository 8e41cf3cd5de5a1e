import { diagnose } from "@lendbuf/host/doctor/diagnose";
import { shorten } from "@lendbuf/host/doctor/shorten";
import { HostFiles } from "@lendbuf/host/host-files";
import { inventoryOf, matches } from "../holders/inventory.ts";
import { paged } from "./page.ts";
import { input, type Output, router } from "./trpc.ts";

export const hostRouter = router({
  dmabufs: input("host.dmabufs").query(
    async ({ ctx, input: { search, cursor = 0, limit } }): Promise<Output<"host.dmabufs">> => {
      const { dmaBufs, ...visibility } = await inventoryOf(ctx.core);
      const found = search ? dmaBufs.filter((dmaBuf) => matches(dmaBuf, search)) : dmaBufs;
      const rest = found.filter(({ inode }) => inode > cursor);
      const page = paged(
        ctx,
        rest,
        limit,
        found.length,
        (dmaBuf) => dmaBuf,
        ({ inode }) => inode,
      );
      return { ...page, ...visibility };
    },
  ),
  doctor: input("host.doctor").query(({ ctx: { core, replyBytes } }): Output<"host.doctor"> => {
    const devices = [...core.devices.values()].map((device) => device.view());
    return shorten(diagnose({ files: new HostFiles(), devices, noAgent: null }), replyBytes);
  }),
});
