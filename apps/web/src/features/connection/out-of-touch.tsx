"use client";
import { Moment } from "../../ui/moment.tsx";
import { useContact } from "./connection-provider.tsx";
import { useLive } from "./live.tsx";

/** The agent does not answer: since when, what that means, and that nothing need be done here. */
export function OutOfTouch() {
  const contact = useContact();
  const { status } = useLive();
  if (contact.state !== "lost") return null;
  return (
    <div role="alert" className="border-b border-l-2 border-l-alarm bg-alarm-soft px-4 py-2">
      <p className="font-medium text-alarm">
        Out of touch with the agent{status && ` on ${status.host}`} since <Moment at={contact.since} />
      </p>
      <p>
        {status ? "What you see is what it last said" : "It has not said anything yet"}; nothing can be done from here
        until it answers, and this page goes on by itself then. If the agent has ended, so has everything that was lent.
        Start it with <span className="code">npm start</span>, or ask for it in a terminal:{" "}
        <span className="code">npx lendbuf status</span>.
      </p>
    </div>
  );
}
