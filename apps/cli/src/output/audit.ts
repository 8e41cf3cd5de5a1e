import type { AuditEntry } from "@lendbuf/shared/audit";
import type { Column } from "./table.ts";
import { clock } from "./time.ts";

export const AUDIT_COLUMNS: readonly Column<AuditEntry>[] = [
  { title: "SEQ", cell: ({ seq }) => String(seq), align: "right" },
  { title: "AT", cell: ({ at }) => clock(at), leaveOut: 3 },
  { title: "ACTION", cell: ({ action }) => action },
  { title: "ID", cell: ({ delegation }) => (delegation === null ? "" : String(delegation)), align: "right" },
  { title: "BUFFER", cell: ({ buffer }) => buffer ?? "" },
  { title: "BY", cell: ({ actor }) => actor, leaveOut: 2 },
  { title: "DETAIL", cell: ({ detail }) => describeDetail(detail), leaveOut: 1 },
];

/** A delegation's record is told by its state; what else there is, as it is. */
function describeDetail(detail: unknown): string {
  if (typeof detail !== "object" || detail === null) return String(detail ?? "");
  const { state, reason, call, code, message, count } = detail as { [field: string]: unknown };
  if (typeof state === "string") return reason ? `${state}, ${reason}` : state;
  if (typeof message === "string") return `${call}: ${code}${count ? `, ${count} times` : ""}: ${message}`;
  return Object.keys(detail).length === 0 ? "" : JSON.stringify(detail);
}
