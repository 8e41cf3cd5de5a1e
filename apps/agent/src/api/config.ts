import { reload } from "../configuration/reload.ts";
import { input, type Output, router } from "./trpc.ts";

export const configRouter = router({
  reload: input("config.reload").mutation(
    ({ ctx: { core, caller }, input: { check } }): Promise<Output<"config.reload">> =>
      reload(core, caller.actor, { checkOnly: check }),
  ),
});
