import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{apps,packages,clients,examples,bench}/**/*.test.ts", "{scripts,lab,clients/python/test}/*.test.mjs"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    testTimeout: 20_000,
    maxWorkers: 2,
  },
});
