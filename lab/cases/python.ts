// The Python client with real dma-bufs: the kernel that copies for it meets a device's memory, and its absence.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { addressOf, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "../guest/agent.ts";

const MEMORY = `${addressOf(IVSHMEM)}/bar2`;
const skip = spawnSync("python3", ["-V"]).status === 0 ? false : "this machine has no Python";

const PROGRAM = `
import os, sys
import lendbuf
with lendbuf.borrow(sys.argv[1]) as buf:
    data = os.urandom(200_001)
    buf.write(0x600003, data)
    print(buf.id, buf.read(0x600003, len(data)) == data, flush=True)
    try:
        while True:
            buf.read(0x600000, 1 << 20) if sys.argv[2] == "read" else buf.write(0x600000, bytes(1 << 20))
    except lendbuf.Revoked as gone:
        print(gone.reason, flush=True)
`;

for (const work of ["read", "write"]) {
  test(`a ${work} by Python through a pipe is told of the revoke`, { skip }, async () => {
    await using agent = await GuestAgent.start();
    const operator = await agent.connect();
    const python = start(agent, MEMORY, work);
    const lines = createInterface({ input: python.stdout! })[Symbol.asyncIterator]();
    const exited = new Promise((resolve) => python.once("close", (code, signal) => resolve(signal ?? code)));

    const [id, isSame] = String((await lines.next()).value).split(" ");
    const [revoked] = await operator.call("delegations.revoke", { ids: [Number(id)] });
    const reason = (await lines.next()).value;

    assert.deepEqual([isSame, revoked?.state, reason, await exited], ["True", "revoked", "operator", 0]);
  });
}

function start(agent: GuestAgent, ...args: string[]): ChildProcess {
  return spawn("python3", ["-B", "-c", PROGRAM, ...args], {
    env: { ...process.env, PYTHONPATH: "clients/python", LENDBUF_SOCKET: agent.socket },
    stdio: ["ignore", "pipe", "inherit"],
  });
}
