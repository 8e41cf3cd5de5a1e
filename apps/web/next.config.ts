import type { NextConfig } from "next";

const config: NextConfig = {
  output: "export",
  devIndicators: false,
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  // `npm run check` does it, with the repository's compiler.
  typescript: { ignoreBuildErrors: true },
  turbopack: { root: new URL("../..", import.meta.url).pathname },
};

export default config;
