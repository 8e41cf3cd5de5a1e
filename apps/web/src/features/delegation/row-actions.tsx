"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { Button } from "../../ui/button.tsx";
import { useActions } from "../actions/actions.tsx";

/** The buttons of a row: what can be done about a buffer, and about the delegation that it shows. */
export function RowActions({ buffer, delegation }: { buffer?: BufferView; delegation: Delegation | undefined }) {
  const { isPossible, mayEnd, delegate, extend, revoke, askedOf } = useActions();
  const isOurs = delegation !== undefined && mayEnd(delegation.account);
  const isLive = delegation?.state === "active" || delegation?.state === "offered" || delegation?.state === "waiting";
  const isAsking = delegation !== undefined && askedOf(delegation.id)?.state === "asking";
  return (
    <div className="flex items-center justify-end gap-1">
      {buffer && (
        <Button
          look={delegation ? "quiet" : "plain"}
          data-action="delegate"
          shortcut="d"
          title={`Offer ${buffer.name} to somebody`}
          aria-label={`Delegate ${buffer.name}`}
          disabled={!isPossible}
          onClick={() => delegate(buffer)}
        >
          Delegate
        </Button>
      )}
      {isOurs && delegation.state === "active" && (
        <Button
          look="quiet"
          data-action="extend"
          shortcut="e"
          aria-label={`Extend delegation ${delegation.id} of ${delegation.buffer}`}
          disabled={!isPossible || delegation.ending?.reason === "operator"}
          onClick={() => extend(delegation)}
        >
          Extend
        </Button>
      )}
      {isOurs && isLive && (
        <Button
          look="danger"
          data-action="revoke"
          shortcut="r"
          aria-label={`${delegation.state === "active" ? "Revoke" : "Withdraw"} delegation ${delegation.id} of ${delegation.buffer}`}
          disabled={!isPossible || isAsking}
          onClick={() => revoke(delegation)}
        >
          {isAsking ? "Asking…" : delegation.state === "active" ? "Revoke" : "Withdraw"}
        </Button>
      )}
    </div>
  );
}
