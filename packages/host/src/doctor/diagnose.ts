import type { Diagnosis } from "@lendbuf/shared/doctor";
import { accessCheck } from "./access.ts";
import { agentCheck } from "./agent.ts";
import type { Check, Patient } from "./check.ts";
import { exportersCheck } from "./exporters.ts";
import { groupCheck } from "./group.ts";
import { iommuCheck } from "./iommu.ts";
import { kconfigCheck } from "./kconfig.ts";
import { kernelCheck } from "./kernel.ts";
import { limitsCheck } from "./limits.ts";
import { modulesCheck } from "./modules.ts";
import { rungsCheck } from "./rungs.ts";

/** From the ground up: what stands further down needs what is above. */
export const CHECKS: readonly Check[] = [
  kernelCheck,
  kconfigCheck,
  iommuCheck,
  modulesCheck,
  accessCheck,
  groupCheck,
  limitsCheck,
  exportersCheck,
  agentCheck,
  rungsCheck,
];

/** Looks at the host with the eyes of this process: its permissions and its limits. */
export function diagnose(patient: Patient): Diagnosis {
  return {
    account: { uid: process.getuid!(), pid: process.pid, isAgent: patient.devices !== null },
    findings: CHECKS.flatMap(({ name, look }) => look(patient).map((finding) => ({ check: name, ...finding }))),
    leftOut: 0,
  };
}
