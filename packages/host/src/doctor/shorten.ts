import { type Diagnosis, SEVERITIES } from "@lendbuf/shared/doctor";

/** Leaves out what matters least until the findings take at most so many bytes: a host may have hundreds of devices, a packet only so much room. */
export function shorten(diagnosis: Diagnosis, bytes: number): Diagnosis {
  let left = bytes;
  const kept = new Set();
  for (const severity of [...SEVERITIES].reverse())
    for (const finding of diagnosis.findings.filter((one) => one.severity === severity)) {
      left -= Buffer.byteLength(JSON.stringify(finding)) + 1;
      if (left >= 0) kept.add(finding);
    }
  const findings = diagnosis.findings.filter((finding) => kept.has(finding));
  return { ...diagnosis, findings, leftOut: diagnosis.findings.length - findings.length };
}
