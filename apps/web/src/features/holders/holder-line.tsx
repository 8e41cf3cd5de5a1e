import { harmless } from "@lendbuf/shared/harmless";
import type { Holder } from "@lendbuf/shared/holder";

const ROLES = { agent: "the agent itself", warden: "the device's warden" };

/** A process, and by what it holds the memory. */
export function HolderLine({ holder }: { holder: Holder }) {
  const { pid, uid, command, role } = holder;
  return (
    <span className={`block wrap-anywhere ${role ? "text-muted" : ""}`}>
      <span className="font-medium">{harmless(command)}</span>, pid <span className="code">{pid}</span>, uid{" "}
      <span className="code">{uid}</span>: {heldWords(holder)}
      {role && ` (${ROLES[role]})`}
    </span>
  );
}

/** "fd 3, 4; 1 mapping". */
function heldWords({ fds, fdCount, mappingCount }: Holder): string {
  const more = fdCount > fds.length ? ` and ${fdCount - fds.length} more` : "";
  return [
    fdCount > 0 && `fd ${fds.join(", ")}${more}`,
    mappingCount > 0 && (mappingCount === 1 ? "1 mapping" : `${mappingCount} mappings`),
  ]
    .filter(Boolean)
    .join("; ");
}
