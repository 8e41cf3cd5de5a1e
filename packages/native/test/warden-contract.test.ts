import { describe, it } from "vitest";
import { contractOf } from "./exporter-contract.ts";
import { builds } from "./warden-builds.ts";
import { Warden } from "./warden-process.ts";

describe.each(builds)("the memfd exporter keeps the exporters' contract: it ($name)", (build) => {
  for (const { name, run } of contractOf({ start: () => new Warden(build), method: "ftruncate", probe: 0 })) {
    it(name, run);
  }
});
