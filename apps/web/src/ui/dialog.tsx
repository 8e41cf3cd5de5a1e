"use client";
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";

interface DialogProps {
  title: ReactNode;
  /** One sentence below the title. */
  description?: ReactNode;
  onClose(): void;
  children: ReactNode;
  wide?: boolean;
}

/** A dialog that is open as long as it is rendered. */
export function Dialog({ title, description, onClose, children, wide = false }: DialogProps) {
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Radix.Content
          {...(!description && { "aria-describedby": undefined })}
          className={`fixed inset-x-0 bottom-0 z-50 mx-auto max-h-[92dvh] w-full overflow-y-auto rounded-t-md border bg-raised p-4 wide:top-[10vh] wide:bottom-auto wide:max-h-[84dvh] wide:rounded-md wide:p-5 ${wide ? "max-w-3xl" : "max-w-xl"}`}
        >
          <div className="mb-4 flex items-start justify-between gap-4">
            <div className="min-w-0">
              <Radix.Title className="text-lg font-medium tracking-tight">{title}</Radix.Title>
              {description && <Radix.Description className="mt-0.5 text-muted">{description}</Radix.Description>}
            </div>
            <Radix.Close aria-label="Close" className="-m-1 rounded-sm p-1.5 text-muted hover:bg-hover hover:text-ink">
              <X size={16} aria-hidden />
            </Radix.Close>
          </div>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
