import { closeSync, fstatSync, readFileSync } from "node:fs";
import { createMemfd } from "@lendbuf/native/addon";
import { expect, it } from "vitest";
import { look } from "./look.ts";

function children(): number[] {
  const text = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

it("finds a file by its device and inode, whatever it is called, and leaves out the processes that it is told to", async () => {
  const fd = createMemfd('new\nline "quoted" \\', 4096);
  const { dev, ino } = fstatSync(fd);

  const { findings, stuckAt } = await look([], `${dev} ${ino}`);
  const without = await look([String(process.pid)], `${dev} ${ino}`);
  closeSync(fd);

  expect(findings.filter(({ kind }) => kind === "holder")).toMatchObject([
    { pid: process.pid, uid: process.getuid!(), ino, fds: [fd], fdCount: 1, mappingCount: 0, isDmaBuf: false },
  ]);
  expect(stuckAt).toBeNull();
  expect(without.findings.filter(({ kind }) => kind === "holder")).toEqual([]);
});

it("gives the program up where it does not get on, says at what, and leaves nothing running", async () => {
  const before = new Set(children());
  const answer = look([]);
  const [program] = children().filter((pid) => !before.has(pid));
  process.kill(program!, "SIGSTOP");

  const { stuckAt } = await answer;

  expect(stuckAt).toMatch(/^(lendbuf-holders?|\d+)$/);
  await expect.poll(() => children().includes(program!)).toBe(false);
}, 10_000);

it("says what debugfs answered", async () => {
  const { findings } = await look(["--bufinfo"]);

  expect(findings).toHaveLength(1);
  expect(findings[0]!.kind).toBe("bufinfo");
});
