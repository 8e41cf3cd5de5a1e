import type { Metadata } from "next";
import { Suspense } from "react";
import { BufferPage } from "../../features/buffer/buffer-page.tsx";

export const metadata: Metadata = { title: "Buffer" };

export default function Page() {
  return (
    <Suspense>
      <BufferPage />
    </Suspense>
  );
}
