import { DmaBufs } from "./dma-bufs.tsx";
import { DoctorSection } from "./doctor-section.tsx";

/** What this machine can do and has; a section each. */
export function HostPage() {
  return (
    <>
      <h1 className="sr-only">Host</h1>
      <DoctorSection />
      <DmaBufs />
    </>
  );
}
