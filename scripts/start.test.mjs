import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const made = [];
const started = [];

afterEach(() => {
  for (const { pid } of started.splice(0)) endGroup(pid);
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** npm start in a process group of its own, as a terminal would have it; `said` is what it wrote so far. */
function npmStart(...args) {
  const npm = spawn("npm", ["start", "--", ...args], { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const run = { npm, said: "", exit: once(npm, "exit") };
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on("data", (data) => {
      run.said += data;
    });
  }
  started.push(npm);
  return run;
}

/** Answers npm's run and the agent's pid, once clients can connect. */
async function startAgent() {
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-start-"));
  made.push(folder);
  const run = npmStart("--port", "0", "--state", join(folder, "state"), "--socket", join(folder, "agent.sock"));
  await expect.poll(() => run.said, { timeout: 60_000 }).toContain("Ready");
  return { run, agent: Number(run.said.match(/pid (\d+)/)[1]) };
}

describe("npm start", { timeout: 120_000 }, () => {
  it("hands its arguments to the agent, and the agent's status back", async () => {
    const run = npmStart("--port", "nonsense");

    expect(await run.exit).toEqual([2, null]);
    expect(run.said).toContain('--port is "nonsense"');
  });

  it.each([
    ["Ctrl-C in a terminal", "SIGINT", (npm) => -npm.pid],
    ["SIGTERM to npm alone", "SIGTERM", (npm) => npm.pid],
  ])("ends the agent on %s, and only then itself", async (_, signal, target) => {
    const { run, agent } = await startAgent();

    process.kill(agent, "SIGSTOP");
    process.kill(target(run.npm), signal);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isAlive(run.npm.pid)).toBe(true);
    process.kill(agent, "SIGCONT");

    expect((await run.exit)[0]).toBe(0);
    expect(isAlive(agent)).toBe(false);
  });

  it.each([
    ["npm alone", (npm) => npm.pid],
    ["its whole process group", (npm) => -npm.pid],
  ])("leaves no agent behind where SIGKILL ends %s", async (_, target) => {
    const { run, agent } = await startAgent();

    process.kill(target(run.npm), "SIGKILL");

    await expect.poll(() => isAlive(agent), { timeout: 10_000 }).toBe(false);
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

function endGroup(pid) {
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // It has ended.
  }
}
