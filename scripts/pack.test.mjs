// The packages as their users get them: packed, installed into an empty folder by npm, and used.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packAll } from "./pack.mjs";
import { ROOT } from "./step.mjs";

const USE = `
import { connect } from "@lendbuf/client/connect";
import { AgentError } from "@lendbuf/client/errors";
import type { Delegation } from "@lendbuf/client/shared/delegation";

const agent = await connect();
const lease = await agent.borrow({ buffer: "sim0/ddr", purpose: "pack" });
const delegation: Delegation = lease.delegation;
const memory = lease.map();
memory.write(0, new TextEncoder().encode("packed"));
const bytes = new Uint8Array(6);
memory.read(0, bytes);
console.log(delegation.buffer, new TextDecoder().decode(bytes));
await lease.release();
const refused = await agent.borrow({ buffer: "nope" }).catch((error: unknown) => error);
console.log(refused instanceof AgentError && refused.code);
agent.close();
`;

let folder;
let tarballs;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-pack-test-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  tarballs = await packAll(join(folder, "tarballs"));
  run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(command, ...args) {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** npm's own variables would lead the npm that we start back to the checkout. */
function environment() {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|npm_config_local_prefix$|LENDBUF_)/i.test(name),
  );
  return { ...Object.fromEntries(own), LENDBUF_SOCKET: join(folder, "agent.sock") };
}

describe("the packages for npm", { timeout: 60_000 }, () => {
  it("bring no package of ours but themselves", () => {
    const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
    const ours = Object.keys(packages).filter((place) => place.includes("lendbuf"));

    expect(ours.sort()).toEqual([
      "node_modules/@lendbuf/agent",
      "node_modules/@lendbuf/client",
      "node_modules/lendbuf",
    ]);
  });

  it("have the command", () => {
    expect(run("npx", "lendbuf", "--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("have an agent, with its dashboard, that the command and the client borrow from", async () => {
    const agent = await startAgent();
    try {
      expect(agent.warden).toBe(
        join(folder, "node_modules/@lendbuf/agent/packages/native/build/Release/lendbuf-warden"),
      );
      expect((await fetch(agent.url)).status).toBe(200);
      expect(run("npx", "lendbuf", "exec", "sim0/ch0", "--", "sh", "-c", "echo $LENDBUF_SIZE")).toBe("1048576\n");
      writeFileSync(join(folder, "use.mts"), USE);
      const types = [
        "--module",
        "nodenext",
        "--target",
        "es2023",
        "--lib",
        "es2023,esnext.disposable",
        "--strict",
        "--skipLibCheck",
        "false",
      ];
      run(
        join(ROOT, "node_modules/.bin/tsc"),
        ...types,
        "--types",
        "node",
        "--typeRoots",
        join(ROOT, "node_modules/@types"),
        "use.mts",
      );
      expect(run(process.execPath, "use.mjs")).toBe("sim0/ddr packed\nNOT_FOUND\n");
      const readme = readFileSync(join(folder, "node_modules/@lendbuf/client/README.md"), "utf8");
      writeFileSync(join(folder, "example.mjs"), /```js\n(.*?)```/s.exec(readme)[1]);
      expect(run(process.execPath, "example.mjs")).toMatch(/^Uint8Array\(16\) \[/);
    } finally {
      await agent.stop();
    }
  });

  it("build their native parts where those that they bring do not run", { timeout: 300_000 }, () => {
    const native = join(folder, "node_modules/lendbuf/packages/native");
    writeFileSync(join(native, "build/Release/lendbuf.node"), "for another machine");

    run("npm", "rebuild", "lendbuf");

    expect(readFileSync(join(native, "build/Release/lendbuf.node")).subarray(1, 4).toString()).toBe("ELF");
    expect(() => run("npx", "lendbuf", "status")).toThrow("No agent answers");
  });
});

async function startAgent() {
  mkdirSync(join(folder, "state"), { recursive: true });
  const program = join(folder, "node_modules/.bin/lendbuf-agent");
  const args = ["--port", "0", "--state", join(folder, "state"), "--devices", "none"];
  const child = spawn(program, args, { env: environment(), stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const said = [];
  for await (const line of createInterface({ input: child.stdout }))
    if (said.push(line) && line.startsWith("Ready: ")) break;
  child.stdout.resume();
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ").filter(Boolean);
  return {
    warden: children.map((pid) => readlinkSync(`/proc/${pid}/exe`)).find((exe) => exe.includes("warden")),
    url: /http:\/\/\S+/.exec(said.join("\n"))?.[0],
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
