import type { Metadata } from "next";
import { Suspense } from "react";
import { NowPage } from "../features/now/now-page.tsx";

export const metadata: Metadata = { title: "Now" };

export default function Page() {
  return (
    <Suspense>
      <NowPage />
    </Suspense>
  );
}
