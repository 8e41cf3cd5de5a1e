import { Dialog } from "../../ui/dialog.tsx";
import { SHORTCUTS } from "./shortcuts.ts";

export function HelpDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="grid grid-cols-[6rem_1fr] gap-y-2">
        {SHORTCUTS.map(({ keys, does }) => (
          <div key={keys} className="contents">
            <dt className="flex gap-1">
              {keys.split(" ").map((key) => (
                <kbd key={key} className="code rounded-sm border px-1.5">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-muted">
        &quot;Revoke everything&quot; is held down for a second and a half, with Space or Enter too.
      </p>
    </Dialog>
  );
}
