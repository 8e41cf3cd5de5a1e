"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { useState } from "react";
import { Dialog } from "../../ui/dialog.tsx";
import { DelegateForm } from "./delegate-form.tsx";
import { Delegated } from "./delegated.tsx";

/** Offers a buffer for a time; afterwards, how to take it. */
export function DelegateDialog({ buffer, onClose }: { buffer: BufferView; onClose(): void }) {
  const [made, setMade] = useState<Delegation>();
  return (
    <Dialog
      title={
        <>
          {made ? `Delegation ${made.id} of ` : "Delegate "}
          <span className="code">{buffer.name}</span>
        </>
      }
      description={made ? undefined : buffer.description || undefined}
      onClose={onClose}
      wide={made !== undefined}
    >
      {made ? <Delegated made={made} onClose={onClose} /> : <DelegateForm buffer={buffer} onMade={setMade} />}
    </Dialog>
  );
}
