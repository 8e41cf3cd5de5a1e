import { describe, expect, it } from "vitest";
import { KERNELS, TESTED } from "./kernel/kernels.mjs";
import { bootMachine } from "./machine.mjs";
import { obstacle } from "./obstacle.mjs";
import { runCases } from "./run-cases.mjs";

/** What a kernel says of its own bugs, and of leaks where it looks for them. */
const REPORTS = /WARNING:|BUG:|Oops|UBSAN:|DMA-API:|corruption|blocked for more than|unreferenced object/;
/** `npm run lab -- --kernel NAME --cases` asks for one kernel alone. */
const chosen = process.env.LENDBUF_LAB_KERNEL;
const patched = chosen ?? "lab";

// Booted while the tests are collected, for the machine names its cases.
const reports = {};
for (const kernel of chosen ? [chosen] : TESTED) reports[kernel] = obstacle(kernel) ?? (await runCases(kernel));
/** What only root may do. */
const rooted = obstacle(patched) ?? (await runCases(patched, "root"));

describe.each([...Object.entries(reports), [`${patched} (as root)`, rooted]])("under the %s kernel", (_, report) => {
  if (typeof report === "string") return it("runs its cases", ({ skip }) => skip(report));

  for (const { name, ok, why, skip: reason } of report.cases) {
    it(name, ({ skip }) => {
      if (reason) skip(String(reason));
      expect(ok, why).toBe(true);
    });
  }

  it.for(report.programs)("$program runs to its end", ({ status }) => {
    expect(status, report.unexplained.join("\n")).toBe(0);
  });

  it("runs all programs, and each has cases", () => {
    expect(report.programs.length).toBeGreaterThan(0);
    expect(report.cases.length).toBeGreaterThanOrEqual(report.programs.length);
  });

  it("gives the kernel nothing to warn of", () => {
    expect(report.console).not.toMatch(REPORTS);
  });
});

describe.runIf(KERNELS[patched].checksItself && typeof rooted === "object")("a kernel that checks itself", () => {
  it.for([reports[patched], rooted])("watched locks to the end, and looked for leaks", ({ console }) => {
    expect(console).toMatch(/debug_locks: +1\s/);
    expect(console).toContain("lab: looked for leaks");
  });

  it("reports bugs that are made in it", async () => {
    const bugs = ["READ_AFTER_FREE", "REFCOUNT_INC_ZERO", "CORRUPT_LIST_ADD", "ARRAY_BOUNDS"];
    const provoke = "for bug; do echo $bug >/sys/kernel/debug/provoke-crash/DIRECT; done";
    const command = ["sh", "-c", provoke, "sh", ...bugs];

    const { console } = await bootMachine({ kernel: patched, account: "root", command, timeoutMs: 5 * 60_000 });

    expect(console).toMatch(/BUG: KASAN: slab-use-after-free/);
    expect(console).toMatch(/refcount_t: addition on 0/);
    expect(console).toMatch(/list_add corruption/);
    expect(console).toMatch(/UBSAN: array-index-out-of-bounds/);
    expect(console).toMatch(REPORTS);
  }, 310_000);
});

describe.runIf(typeof reports[patched] === "object")("the BAR's file, as this host sees it", () => {
  const word = (offset) => reports[patched].bar.readUInt32LE(offset);

  it("has what was stored through an export, and nothing of what was stored after the revoke", () => {
    expect(word(0x1000).toString(16)).toBe("deadbeef");
  });

  it("has what a client stored through the warden's exports, and nothing of what it stored after their revokes", () => {
    expect(reports[patched].bar.toString("latin1", 0x200000, 0x200004)).toBe("lent");
  });

  it("has what another device copied, and nothing of what it copied after the revoke", () => {
    expect([0x100000, 0x100100, 0x100200].map(word)).toEqual([0x11223344, 0x11223344, 0]);
  });
});

describe.runIf(typeof reports[patched] === "object" && !chosen)("the machine", () => {
  const lab = { kernel: "lab", timeoutMs: 60_000 };

  it("hands on what a command says and the code it exits with, and lets it write nothing of this host", async () => {
    const lines = [];
    const command = ["sh", "-c", 'echo "it\'s $GREETING"; id -u; touch package.json 2>/dev/null || exit 7'];

    const { code } = await bootMachine({
      ...{ ...lab, command, env: { GREETING: "hello" } },
      onLine: (line) => lines.push(line),
    });

    expect(lines).toEqual(["it's hello", "1000"]);
    expect(code).toBe(7);
  }, 70_000);

  it("is ended at its time limit, and says so", async () => {
    const command = ["sh", "-c", "echo started; while :; do sleep 60; done"];

    const ended = bootMachine({ ...lab, command, timeoutMs: 500 });

    await expect(ended).rejects.toThrow("did not end within 0.5 s");
  });

  it("is ended by its signal", async () => {
    const stop = new AbortController();
    const command = ["sh", "-c", "echo started; while :; do sleep 60; done"];

    const ended = bootMachine({ ...lab, command, signal: stop.signal, onLine: () => stop.abort(new Error("enough")) });

    await expect(ended).rejects.toThrow("enough");
  }, 70_000);
});
