import type { Calls } from "@lendbuf/client/calls";
import { formatSize } from "@lendbuf/shared/size";
import type { LiveNames } from "./candidates.ts";

/** More help nobody to choose. */
const MOST = 200;

/** The names that an agent knows; none where it cannot be asked, since completion never complains. */
export function liveNames(connect: () => Promise<Calls>): LiveNames {
  const ask = async <T>(question: (agent: Calls) => Promise<T[]>): Promise<T[]> => {
    try {
      using agent = await connect();
      return await question(agent);
    } catch {
      return [];
    }
  };
  return {
    buffers: (beginning) =>
      ask(async (agent) => {
        const { items } = await agent.call("buffers.list", { search: beginning.slice(0, 100), limit: MOST });
        return items.map(({ name, size, state }) => ({ text: name, about: `${formatSize(size)}, ${state}` }));
      }),
    devices: () =>
      ask(async (agent) => {
        const devices = await agent.call("devices.list");
        return devices.map(({ name, description }) => ({ text: name, about: description }));
      }),
    delegations: () =>
      ask(async (agent) => {
        const { items } = await agent.call("delegations.list", { limit: MOST });
        return items.map(({ id, buffer, account, state }) => ({
          text: String(id),
          about: `${buffer}, ${account}, ${state}`,
        }));
      }),
  };
}
