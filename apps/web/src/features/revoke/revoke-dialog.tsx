"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { exporterOf } from "@lendbuf/shared/device";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Field, TextInput } from "../../ui/field.tsx";
import { useLive } from "../connection/live.tsx";
import { Account } from "../delegation/account.tsx";

interface RevokeDialogProps {
  delegation: Delegation;
  onConfirm(): void;
  onClose(): void;
}

/** Where one cannot be taken back alone: whom else it ends, and a name to type so that it is meant. */
export function RevokeDialog({ delegation, onConfirm, onClose }: RevokeDialogProps) {
  const { status, delegations } = useLive();
  const [typed, setTyped] = useState("");
  const { id, buffer, device } = delegation;
  const its = status?.devices.find(({ name }) => name === device);
  const capability = its && exporterOf(its, delegation.exporter);
  const others = (delegations?.items ?? []).filter(
    (other) => other.device === device && other.id !== id && other.state === "active",
  );
  const isDevice = capability?.scope === "device";
  return (
    <Dialog
      title={`Revoke delegation ${id} of ${buffer}`}
      description={
        isDevice
          ? `${device} takes memory back by ${capability.method}, which ends everything that is lent of it.`
          : `${device} has no means to take memory back by force. The delegation ends here; its holder keeps the memory until it lets go, and until then it is shown as revoking.`
      }
      onClose={onClose}
    >
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
          onClose();
        }}
      >
        {isDevice && (
          <div>
            <h3 className="font-medium">
              {others.length === 0 ? "It ends nobody else's" : `It also ends ${others.length} of others`}
            </h3>
            <ul className="mt-1 max-h-60 overflow-y-auto">
              {others.map((other) => (
                <li key={other.id} className="flex gap-3 border-t py-1.5">
                  <span className="code grow">{other.buffer}</span>
                  <Account account={other.account} />
                  <span className="text-muted">{other.client?.command ?? "no client"}</span>
                </li>
              ))}
            </ul>
          </div>
        )}
        <Field label={`Type ${device} to go on`}>
          <TextInput value={typed} onChange={(event) => setTyped(event.target.value)} className="code" />
        </Field>
        <div className="flex justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            Leave it
          </Button>
          <Button type="submit" look="danger-primary" disabled={typed !== device}>
            Revoke
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
