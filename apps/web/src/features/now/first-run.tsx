"use client";
import { exporterOf } from "@lendbuf/shared/device";
import { Snippet } from "../../ui/copy.tsx";
import { useLive } from "../connection/live.tsx";

/** Nothing was ever lent here: what there is, and the next command to type. */
export function FirstRun() {
  const { status } = useLive();
  const simulated = status?.devices.find(({ kind }) => kind === "simulated");
  return (
    <section
      aria-labelledby="first-run"
      className="grid gap-4 border-b bg-sunken px-4 py-5 wide:grid-cols-2 wide:gap-10"
    >
      <div className="grid max-w-prose content-start gap-2">
        <h2 id="first-run" className="text-base font-medium">
          Nothing has been lent yet
        </h2>
        {simulated && (
          <p>
            <span className="code">{simulated.name}</span> is simulated: a digitizer whose four channels run all the
            time, made of ordinary memory, so that all of this works without hardware. What takes the memory back is
            real: {exporterOf(simulated)?.method ?? "the kernel"}, and the program that has it loses it.
          </p>
        )}
        <p className="text-muted">
          Run the line in a terminal on <span className="code">{status?.host}</span> and watch the row change. Then
          revoke it here. Or press Delegate in a row, to offer a buffer to somebody for a time.
        </p>
      </div>
      <div className="grid min-w-0 content-start gap-3">
        <Snippet
          label="Borrow a channel for as long as a command runs"
          text={`npx lendbuf exec ${simulated ? `${simulated.name}/ch0` : "BUFFER"} --for 15m -- sleep 900`}
        />
        <Snippet
          label="Plot it, with a program that survives the loss"
          text="npx lendbuf exec sim0/ch0 --for 15m -- node examples/plot-channel/dist/plot.js"
        />
      </div>
    </section>
  );
}
