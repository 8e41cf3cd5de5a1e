import type { Delegation } from "@lendbuf/shared/delegation";
import { Door } from "../door-client.ts";
import { chance } from "./chance.ts";
import type { World } from "./world.ts";

/** Looks at all that is live at one moment, again and again. */
export async function watchBooks(world: World): Promise<void> {
  let look = await looker(world);
  while (!world.isOver) {
    try {
      const live = await look();
      world.count("looks at the books");
      for (const problem of problemsOf(live)) world.violated(problem);
    } catch {
      await world.calm(); // the agent has gone
      if (!world.isOver) look = await looker(world).catch(() => look);
    }
    await chance.pause(500);
  }
}

/** Over HTTP, where all of them fit into one answer. */
async function looker({ agent }: World): Promise<() => Promise<Delegation[]>> {
  const door = new Door(agent);
  const { headers } = await door.newToken("soak: watcher");
  return async () => {
    const { json } = await door.call("delegations.list", { limit: 500 }, headers);
    return json.result.data.items;
  };
}

function problemsOf(live: readonly Delegation[]): string[] {
  const byBuffer = new Map<string, Delegation[]>();
  for (const one of live) byBuffer.set(one.buffer, [...(byBuffer.get(one.buffer) ?? []), one]);
  return [...byBuffer].flatMap(([buffer, its]) => {
    // What an earlier agent's wardens still take back has nothing to do with the memory of now.
    const occupants = its.filter(
      ({ state, reason }) =>
        state === "offered" || state === "active" || (state === "revoking" && reason !== "agent-restart"),
    );
    const isShared = occupants.every(({ share }) => share === "shared");
    const places = its.flatMap(({ position }) => position ?? []).sort((one, other) => one - other);
    const problems: string[] = [];
    if (occupants.length > 1 && !isShared)
      problems.push(`${buffer} is lent twice: delegations ${occupants.map(({ id }) => id).join(", ")}`);
    if (places.some((place, at) => place !== at + 1)) problems.push(`${buffer} has the places ${places.join(", ")}`);
    return problems;
  });
}
