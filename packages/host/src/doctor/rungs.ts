import { type Capability, type Device, exporterOf, type Rung } from "@lendbuf/shared/device";
import type { Finding } from "@lendbuf/shared/doctor";
import { type Check, fine } from "./check.ts";

type Words = Omit<Finding, "check">;

const SCOPES = {
  buffer: "it takes back one buffer at a time",
  device: "it takes back everything that was lent of the device at once",
  none: "it takes nothing back by force",
};

/** What revokes on each device, as its warden's self-test found. */
export const rungsCheck: Check = {
  name: "rung",
  look: ({ devices }) => devices?.flatMap(deviceFindings) ?? [],
};

function deviceFindings(device: Device): Words[] {
  const { name, exporters, state } = device;
  const isUsable = state === "ready" && exporters.some(({ works }) => works);
  const staged = exporters.some(({ exporter, works }) => exporter === "staged" && works);
  return [
    ...(isUsable ? [] : [unusableFinding(device)]),
    ...exporters.flatMap((one) => one.rungs.map((rung) => rungFinding(`${name} ${one.exporter}`, one, rung))),
    ...exporters.filter(({ works, mappable }) => works && !mappable).map(() => importOnly(name, staged)),
  ];
}

function unusableFinding(device: Device): Words {
  const { name, kind, state, problem } = device;
  const isStarting = state === "starting";
  return {
    subject: name,
    // The simulated one keeps no real device from being lent.
    severity: isStarting ? "note" : kind === "vfio" ? "problem" : "warning",
    seen: `${name} is ${state}: ${problem ?? exporterOf(device)?.detail ?? "it is being tested"}`,
    means: "Nothing of it can be lent.",
    advice: isStarting ? "Ask again in a moment." : "Do what it says; the agent tries again by itself.",
    command: "lendbuf devices",
  };
}

function rungFinding(name: string, { method, works }: Capability, rung: Rung): Words {
  const subject = `${name} ${rung.method}`;
  if (rung.works)
    return fine(
      subject,
      rung.detail,
      `It works, ${SCOPES[rung.scope]}${rung.method === method ? ", and is the one in use" : ""}.`,
    );
  return {
    subject,
    severity: works ? "note" : "problem",
    seen: `${rung.errno ? `${rung.errno}: ` : ""}${rung.detail}`,
    means: works
      ? `It does not work here; ${method} takes its place.`
      : "It does not work here, and nothing else does: it is not lent this way.",
    advice: works
      ? "Nothing needs to be done. docs/hardware.md says which kernels have it."
      : "Use a kernel that has a way to revoke; docs/hardware.md has a table.",
    command: "lendbuf devices",
  };
}

function importOnly(name: string, staged: boolean): Words {
  return {
    subject: `${name} mmap`,
    severity: "warning",
    seen: "mmap of an export is refused",
    means: "Clients cannot map what they borrow of it; other devices can import it.",
    advice: `${staged ? "Programs borrow a window instead, whose bytes are copied when they ask for it. To map the memory itself they" : "Programs"} need a kernel whose VFIO dma-bufs can be mapped; docs/hardware.md has a table.`,
    command: staged ? `lendbuf exec ${name}/bar0 --exporter staged --pull -- COMMAND` : null,
  };
}
