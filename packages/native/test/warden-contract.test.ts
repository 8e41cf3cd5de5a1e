import { describe, it } from "vitest";
import { contractOf, syncWhole } from "./exporter-contract.ts";
import { builds } from "./warden-builds.ts";
import { Warden } from "./warden-process.ts";

const kinds = ["memfd", "staged"] as const;

describe.each(builds.flatMap((build) => kinds.map((kind) => ({ build, kind, name: build.name }))))(
  "the $kind exporter keeps the exporters' contract: it ($name)",
  ({ build, kind }) => {
    const start = () => new Warden(build, { exporter: kind });
    const sync = kind === "staged" ? { sync: syncWhole } : {};
    for (const { name, run } of contractOf({ start, method: "ftruncate", probe: 0, ...sync })) it(name, run);
  },
);
