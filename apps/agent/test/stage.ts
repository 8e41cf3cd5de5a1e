// A folder for agents one after the other, and what a test opens there: all of it is gone after each test.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, beforeEach } from "vitest";
import { type AgentOptions, type AgentProcess, startAgent, temporaryFolder } from "./harness.ts";

export class Stage {
  folder = "";
  /** Stopped in reverse. */
  readonly opened: { stop(): unknown }[] = [];

  /** Set up before each test of the file that calls this. */
  static forEach(): Stage {
    const stage = new Stage();
    beforeEach(() => {
      const folder = temporaryFolder();
      stage.folder = folder;
      mkdirSync(`${folder}/state`, { mode: 0o700 });
      stage.opened.push({ stop: () => rmSync(folder, { recursive: true, force: true }) });
    });
    afterEach(async () => {
      for (const one of stage.opened.splice(0).reverse()) await one.stop();
    });
    return stage;
  }

  place(options: AgentOptions = {}): AgentOptions {
    return { state: `${this.folder}/state`, socket: `${this.folder}/agent.sock`, ...options };
  }

  async newAgent(options: AgentOptions = {}): Promise<AgentProcess> {
    const agent = await startAgent(this.place(options));
    this.opened.push(agent);
    return agent;
  }

  /** Another program in the middle of a transaction. */
  async lockDatabase(): Promise<{ stop(): Promise<void> }> {
    const libsql = createRequire(import.meta.url).resolve("libsql");
    const script = `const Database = require(${JSON.stringify(libsql)});
    const db = new Database(process.argv[1]);
    db.exec("BEGIN EXCLUSIVE");
    console.log("locked");
    setInterval(() => db, 1000);`;
    const child = spawn(process.execPath, ["-e", script, `${this.folder}/state/lendbuf.db`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const locker = {
      async stop() {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill("SIGKILL");
        await once(child, "exit");
      },
    };
    this.opened.push(locker);
    await once(child.stdout, "data");
    return locker;
  }
}
