import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LONGEST = [
  "lab/lab.test.mjs", // waits for machines that stand back for everybody else
  "scripts/pack.test.mjs",
  "apps/cli/test/reach.test.ts",
  "apps/cli/test/dry-run.test.ts",
  "apps/cli/test/elsewhere.test.ts",
  "apps/web/test/manners.test.ts",
  "scripts/deb.test.mjs",
];

/** So that no worker idles beside the last of them. A fresh clone knows no durations: vitest then goes by the files' sizes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    return usual.sort((one, other) => this.#place(one) - this.#place(other));
  }

  #place({ moduleId }: TestSpecification): number {
    const place = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
    return place === -1 ? LONGEST.length : place;
  }
}

export default defineConfig({
  test: {
    include: ["{apps,packages,clients,examples,bench}/**/*.test.ts", "{scripts,lab,clients/python/test}/*.test.mjs"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    // They end what hangs: no test is to be a function of the machine's speed.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
