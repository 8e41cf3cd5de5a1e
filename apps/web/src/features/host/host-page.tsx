import { DmaBufs } from "./dma-bufs.tsx";

/** What this machine can do and has; a section each. */
export function HostPage() {
  return (
    <>
      <h1 className="sr-only">Host</h1>
      <DmaBufs />
    </>
  );
}
