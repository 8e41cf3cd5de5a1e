import type { Calls } from "@lendbuf/client/calls";
import type { Input } from "@lendbuf/shared/api";
import { overlaps, PAGE_SIZE, sizeOf } from "@lendbuf/shared/buffer";
import type { Device } from "@lendbuf/shared/device";
import { formatSize } from "@lendbuf/shared/size";
import { getEach, liveOf } from "../live.ts";
import { pages } from "../pages.ts";
import { type Plan, plan, type Refusal, refuse, roleRefusal } from "./plan.ts";

type Definition = Input<"buffers.define">;

export async function planDefine(agent: Calls, definition: Definition): Promise<Plan> {
  const device = (await agent.call("devices.list")).find(({ name }) => name === definition.device);
  const refusal =
    (await roleRefusal(agent, "buffers.define")) ??
    misfit(definition, device) ??
    (await collision(agent, definition, device?.kind === "vfio"));
  const size = formatSize(sizeOf(definition.ranges));
  return plan(`define ${definition.name}: ${size} of ${definition.device}, region ${definition.region}`, { refusal });
}

function misfit({ region: index, ranges, device: name }: Definition, device: Device | undefined): Refusal | null {
  if (!device) return refuse("NOT_FOUND", `There is no device ${name}. lendbuf devices lists them.`);
  const region = device.regions.find((one) => one.index === index);
  if (!region || region.unlendable)
    return refuse("BAD_INPUT", `Region ${index} of ${name} is not there or cannot be lent.`);
  const odd = ranges.find(
    ({ offset, length }) => offset % PAGE_SIZE || length % PAGE_SIZE || offset + length > region.size,
  );
  if (odd)
    return refuse(
      "BAD_INPUT",
      `A range is no whole pages of ${PAGE_SIZE} bytes, or leaves the region of ${region.size}.`,
    );
  if (region.withheld && overlaps(ranges, [region.withheld]))
    return refuse("BAD_INPUT", `A range has pages of the MSI-X table, which are never lent.`);
  return null;
}

async function collision(
  agent: Calls,
  { name, device, region, ranges, share }: Definition,
  isWhole: boolean,
): Promise<Refusal | null> {
  const ask = (page: { cursor?: string; limit: number }) => agent.call("buffers.list", page);
  for await (const { items } of pages(ask))
    for (const one of items) {
      if (one.name === name) return refuse("ALREADY_EXISTS", `${name} exists already.`);
      const bothShared = share === "shared" && one.share === "shared";
      // What a PCI device comes with is whole regions, which make room for parts of them.
      const yields = isWhole && one.builtin && one.occupied + one.waiting === 0;
      if (one.device === device && one.region === region && !bothShared && !yields && overlaps(ranges, one.ranges))
        return refuse("OVERLAP", `A range overlaps ${one.name}. Choose free ranges.`);
    }
  return null;
}

export async function planUndefine(agent: Calls, name: string): Promise<Plan> {
  const { builtin, current, occupied, waiting, device } = await agent.call("buffers.get", { name });
  const hits = await getEach(
    agent,
    current.map(({ id }) => id),
  );
  const refusal =
    (await roleRefusal(agent, "buffers.remove")) ??
    (builtin ? refuse("NOT_ALLOWED", `${name} comes with ${device} and stays.`) : null) ??
    (occupied + waiting > 0
      ? refuse("IN_USE", `${name} is lent or offered ${occupied} times, and ${waiting} wait. End them first.`)
      : null);
  return plan(`remove ${name}`, { hits, refusal });
}

export async function planLift(agent: Calls, name: string): Promise<Plan> {
  const { held } = await agent.call("buffers.get", { name });
  const refusal = await roleRefusal(agent, "buffers.lift");
  return plan(held ? `lend ${name} again, which is held: ${held.reason}` : `change nothing: ${name} is not held`, {
    refusal,
  });
}

export async function planPoke(agent: Calls, name: string, what: string): Promise<Plan> {
  const { current } = await agent.call("buffers.get", { name });
  const hits = await getEach(
    agent,
    current.map(({ id }) => id),
  );
  return plan(`write ${what} of ${name}`, {
    hits,
    refusal: await roleRefusal(agent, "buffers.poke"),
  });
}

/** `ends`: at once, what is lent of it too. */
export async function planDrain(agent: Calls, name: string, ends: boolean): Promise<Plan> {
  const device = (await agent.call("devices.list")).find((one) => one.name === name);
  const hits = (await liveOf(agent, { device: name })).filter(
    ({ state }) => state === "offered" || (ends && state === "active"),
  );
  const refusal = (await roleRefusal(agent, "devices.drain")) ?? (device ? null : noDevice(name));
  return plan(`drain ${name}`, { hits, refusal });
}

export async function planUndrain(agent: Calls, name: string): Promise<Plan> {
  const device = (await agent.call("devices.list")).find((one) => one.name === name);
  return plan(`lend ${name} again`, {
    refusal: (await roleRefusal(agent, "devices.undrain")) ?? (device ? null : noDevice(name)),
  });
}

function noDevice(name: string): Refusal {
  return refuse("NOT_FOUND", `There is no device ${name}. lendbuf devices lists them.`);
}

/** Of a device's memory that goes for now, or comes back. */
export async function planSwitch(agent: Calls, name: string, what: "suspend" | "resume"): Promise<Plan> {
  const device = (await agent.call("devices.list")).find((one) => one.name === name);
  const hits = (await liveOf(agent, { device: name })).filter(({ state }) => state === "active");
  const refusal =
    (await roleRefusal(agent, `devices.${what}`)) ??
    (device ? null : noDevice(name)) ??
    (device?.kind === "simulated" && what === "suspend"
      ? refuse("UNSUPPORTED", `Only the memory of a PCI device can be suspended.`)
      : null);
  return plan(`${what} ${name}`, { hits, refusal });
}
