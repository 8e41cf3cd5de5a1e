import { diagnose } from "@lendbuf/host/doctor/diagnose";
import { HostFiles } from "@lendbuf/host/host-files";
import { input, type Output, router } from "./trpc.ts";

export const hostRouter = router({
  doctor: input("host.doctor").query(({ ctx: { core } }): Output<"host.doctor"> => {
    const devices = [...core.devices.values()].map((device) => device.view());
    return diagnose({ files: new HostFiles(), devices, noAgent: null });
  }),
});
