import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { connect } from "../src/connect.ts";
import { AgentStub } from "./agent-stub.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

it("finds the agent by LENDBUF_SOCKET", async () => {
  using agent = new AgentStub();
  vi.stubEnv("LENDBUF_SOCKET", agent.path);

  using connection = await connect();

  expect(connection.path).toBe(agent.path);
  expect(connection.agent.pid).toBe(process.pid);
});

it("says where it looked and what to do when nobody is there", async () => {
  await expect(connect({ path: "/nonexistent/agent.sock" })).rejects.toMatchObject({
    name: "NoAgent",
    code: "ENOENT",
    message: "No agent answers at /nonexistent/agent.sock (ENOENT). Start one with: npm start, or set LENDBUF_SOCKET.",
  });
});

it("tells a file without a listener from a missing one", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lendbuf-connect-"));
  const path = join(directory, "agent.sock");
  writeFileSync(path, "");

  await expect(connect({ path })).rejects.toMatchObject({ code: "ECONNREFUSED" });

  rmSync(directory, { recursive: true });
});

it.skipIf(process.getuid!() !== 0)("names the group when permission is denied", async () => {
  using agent = new AgentStub();
  chmodSync(join(agent.path, ".."), 0o755);
  process.seteuid!(65534);

  const failure = await connect({ path: agent.path }).catch((error: unknown) => error);
  process.seteuid!(0);

  expect(failure).toMatchObject({ code: "EACCES" });
  expect((failure as Error).message).toContain("members of the group root");
});
