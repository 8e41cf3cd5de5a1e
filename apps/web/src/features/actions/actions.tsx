"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import { exporterOf } from "@lendbuf/shared/device";
import { mayTouch } from "@lendbuf/shared/permissions";
import { useMutation } from "@tanstack/react-query";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { DelegateDialog } from "../delegate/delegate-dialog.tsx";
import { endWords } from "../delegation/end-words.ts";
import { ExtendDialog } from "../delegation/extend-dialog.tsx";
import { HelpDialog } from "../keyboard/help-dialog.tsx";
import { pressInRow, useShortcut } from "../keyboard/shortcuts.ts";
import { RevokeDialog } from "../revoke/revoke-dialog.tsx";

/** What was asked of the agent about a delegation, and is not in its state yet. */
export type Asked = { state: "asking" } | { state: "refused"; problem: string };

interface Actions {
  /** False while the agent is out of touch. */
  isPossible: boolean;
  mayEnd(account: string): boolean;
  delegate(buffer: BufferView): void;
  extend(delegation: Delegation): void;
  /** At once where only this one is hit; else after showing whom else it ends. */
  revoke(delegation: Delegation): void;
  askedOf(id: number): Asked | undefined;
}

const ActionsContext = createContext<Actions | undefined>(undefined);

export function useActions(): Actions {
  const actions = useContext(ActionsContext);
  if (!actions) throw new Error("outside of the actions");
  return actions;
}

type Open =
  | { dialog: "delegate"; buffer: BufferView }
  | { dialog: "extend"; delegation: Delegation }
  | { dialog: "revoke"; delegation: Delegation }
  | { dialog: "help" };

/** What a person can do to buffers and delegations, from wherever they are shown. */
export function ActionsProvider({ children }: { children: ReactNode }) {
  const { status, me } = useLive();
  const isPossible = useIsInTouch();
  const announce = useAnnounce();
  const [open, setOpen] = useState<Open>();
  const { revokeNow, askedOf } = useRevokeNow();
  const close = useCallback(() => setOpen(undefined), []);
  const devices = status?.devices;

  const actions = useMemo<Actions>(
    () => ({
      isPossible,
      mayEnd: (account) => me !== undefined && mayTouch(me, "delegations.revoke", account),
      delegate: (buffer) => setOpen({ dialog: "delegate", buffer }),
      extend: (delegation) => setOpen({ dialog: "extend", delegation }),
      revoke(delegation) {
        const device = devices?.find(({ name }) => name === delegation.device);
        const scope = device && exporterOf(device, delegation.exporter)?.scope;
        if (scope === "buffer" || delegation.state !== "active") revokeNow(delegation);
        else setOpen({ dialog: "revoke", delegation });
      },
      askedOf,
    }),
    [isPossible, me, devices, revokeNow, askedOf],
  );

  useShortcut("?", () => setOpen({ dialog: "help" }));
  const press = (action: "delegate" | "revoke" | "extend") => () => {
    if (!pressInRow(action)) announce(`There is nothing to ${action} here. Pick a row with j and k.`);
  };
  useShortcut("d", press("delegate"));
  useShortcut("r", press("revoke"));
  useShortcut("e", press("extend"));

  return (
    <ActionsContext value={actions}>
      {children}
      {open?.dialog === "delegate" && <DelegateDialog buffer={open.buffer} onClose={close} />}
      {open?.dialog === "extend" && <ExtendDialog delegation={open.delegation} onClose={close} />}
      {open?.dialog === "revoke" && (
        <RevokeDialog
          delegation={open.delegation}
          onConfirm={() => revokeNow(open.delegation, { deviceWide: true })}
          onClose={close}
        />
      )}
      {open?.dialog === "help" && <HelpDialog onClose={close} />}
    </ActionsContext>
  );
}

function useRevokeNow() {
  const trpc = useTRPC();
  const announce = useAnnounce();
  const [asked, setAsked] = useState<ReadonlyMap<number, Asked>>(new Map());
  const { mutateAsync } = useMutation(trpc.delegations.revoke.mutationOptions());

  const revokeNow = useCallback(
    async ({ id, buffer }: Delegation, options: { deviceWide?: boolean }) => {
      setAsked((all) => new Map(all).set(id, { state: "asking" }));
      try {
        const [ended] = await mutateAsync({ ids: [id], ...options });
        setAsked((all) => without(all, id));
        if (ended) announce(`Delegation ${id} of ${buffer}: ${endWords(ended)}.`);
      } catch (cause) {
        const problem = (cause as Error).message;
        setAsked((all) => new Map(all).set(id, { state: "refused", problem }));
        announce(problem);
      }
    },
    [mutateAsync, announce],
  );
  const askedOf = useCallback((id: number) => asked.get(id), [asked]);
  return {
    revokeNow: (delegation: Delegation, options: { deviceWide?: boolean } = {}) => void revokeNow(delegation, options),
    askedOf,
  };
}

function without(all: ReadonlyMap<number, Asked>, id: number): Map<number, Asked> {
  const rest = new Map(all);
  rest.delete(id);
  return rest;
}
