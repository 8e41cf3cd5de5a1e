import "../ui/tokens.css";
import { GeistMono } from "geist/font/mono";
import { GeistSans } from "geist/font/sans";
import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { SessionGate } from "../features/session/session-gate.tsx";
import { TAKE_SECRET } from "../features/session/take-secret.ts";
import { APPLY_THEME } from "../ui/theme.ts";

export const metadata: Metadata = {
  title: { default: "Lendbuf", template: "%s · Lendbuf" },
  description: "Who has which device memory, and the means to take it back.",
  robots: "noindex",
  icons: { icon: `data:image/svg+xml,${encodeURIComponent(ICON())}` },
};

export const viewport: Viewport = { colorScheme: "light dark", width: "device-width", initialScale: 1 };

function ICON() {
  return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 2h4v12H2zM8 2h6v4H8z" fill="#2f6fbf"/><path d="M8.5 8.5h5v5h-5z" fill="none" stroke="#2f6fbf"/></svg>';
}

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" className={`${GeistSans.variable} ${GeistMono.variable}`} suppressHydrationWarning>
      <head>
        {/* Before the first paint, else a stored theme flashes; and before anything could read the address. */}
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: constants of ours, covered by the page's CSP */}
        <script dangerouslySetInnerHTML={{ __html: `${TAKE_SECRET};${APPLY_THEME}` }} />
      </head>
      <body>
        <SessionGate>{children}</SessionGate>
      </body>
    </html>
  );
}
