// A vitest reporter that writes what npm test counts to the file in LENDBUF_TEST_REPORT: after every file, so that a run that hangs leaves what it knew.
import { writeFileSync } from "node:fs";

export default class TestReport {
  #modules = new Set();

  onTestModuleEnd(module) {
    this.#modules.add(module);
    this.#write([], false);
  }

  onTestRunEnd(modules, unhandledErrors) {
    this.#modules = new Set(modules);
    this.#write(unhandledErrors, true);
  }

  #write(unhandledErrors, finished) {
    const report = summarize([...this.#modules], unhandledErrors);
    writeFileSync(process.env.LENDBUF_TEST_REPORT, JSON.stringify({ ...report, finished }));
  }
}

/** `crashes` are failures outside of tests: a file that does not load, a hook that throws, an error that nobody awaited. */
export function summarize(modules, unhandledErrors) {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const inState = (state) => tests.filter((test) => test.result().state === state);
  return {
    passed: inState("passed").length,
    failed: inState("failed").length,
    crashes: suites.filter((suite) => suite.errors().length > 0).length + unhandledErrors.length,
    skipped: inState("skipped").map((test) => ({
      name: test.fullName,
      file: test.module.relativeModuleId,
      reason: test.result().note,
    })),
    unfinished: inState("pending").length,
  };
}
