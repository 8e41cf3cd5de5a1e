import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runStep } from "./step.mjs";

describe("a step", () => {
  it("keeps the output and tells how the command ended", async () => {
    expect(await runStep("test ok", ["sh", "-c", "echo said"], { timeoutMs: 10_000 })).toMatchObject({
      ok: true,
      log: "said\n",
    });
    expect(await runStep("test code", ["sh", "-c", "exit 3"], { timeoutMs: 10_000 })).toMatchObject({
      problem: "exited with 3",
    });
    expect(await runStep("test signal", ["sh", "-c", "kill -9 $$"], { timeoutMs: 10_000 })).toMatchObject({
      problem: "died of SIGKILL",
    });
    expect((await runStep("test missing", ["/nonexistent/command"], { timeoutMs: 10_000 })).problem).toContain(
      "ENOENT",
    );
  });

  it("ends a command that hangs, with all that it started", async () => {
    const step = await runStep("test hang", ["sh", "-c", "sleep 600 & echo $!; wait"], { timeoutMs: 300 });

    expect(step.problem).toBe("did not end within 0.3 s");
    await expect.poll(() => isAlive(Number(step.log))).toBe(false);
  });

  it("ends what a command left behind in its process group", async () => {
    const step = await runStep("test orphan", ["sh", "-c", "sleep 600 & echo $!"], { timeoutMs: 10_000 });

    expect(step.ok).toBe(true);
    await expect.poll(() => isAlive(Number(step.log))).toBe(false);
  });
});

// One that was ended and that nobody has waited for yet is a zombie.
function isAlive(pid) {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
