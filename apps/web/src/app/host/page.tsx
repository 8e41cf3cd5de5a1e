import type { Metadata } from "next";
import { Suspense } from "react";
import { HostPage } from "../../features/host/host-page.tsx";

export const metadata: Metadata = { title: "Host" };

export default function Page() {
  return (
    <Suspense>
      <HostPage />
    </Suspense>
  );
}
