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
    const python = start(PROGRAM, agent, MEMORY, work);
    const lines = createInterface({ input: python.stdout! })[Symbol.asyncIterator]();
    const exited = new Promise((resolve) => python.once("close", (code, signal) => resolve(signal ?? code)));

    const [id, isSame] = String((await lines.next()).value).split(" ");
    const [revoked] = await operator.call("delegations.revoke", { ids: [Number(id)] });
    const reason = (await lines.next()).value;

    assert.deepEqual([isSame, revoked?.state, reason, await exited], ["True", "revoked", "operator", 0]);
  });
}

const WINDOW = `
import os, sys
import lendbuf
data = os.urandom(4096)
with lendbuf.borrow(sys.argv[1], exporter="staged") as buf:
    buf.write(0x700000, data)
    buf.sync("to-device", 0x700000, len(data))
    buf.write(0x700000, bytes(len(data)))
    buf.sync("from-device", 0x700000, len(data), width=64)
    print(buf.read(0x700000, len(data)) == data)
`;

const SUSPENDED = `
import sys
import lendbuf
with lendbuf.connect() as client, client.borrow(sys.argv[1]) as buf:
    device = buf.delegation["device"]
    buf.write(0x600000, b"before")
    events = buf.events()
    client.call("devices.suspend", name=device)
    kinds = [next(events).kind]
    try:
        buf.read(0x600000, 6)
    except lendbuf.Suspended:
        kinds.append("told")
    client.call("devices.resume", name=device)
    kinds.append(next(events).kind)
    print(*kinds, buf.read(0x600000, 6).decode())
`;

test("Python is told of a device that takes its memory away for now, and reads on when it is back", {
  skip,
}, async () => {
  await using agent = await GuestAgent.start();
  const python = start(SUSPENDED, agent, MEMORY);

  const lines = await all(createInterface({ input: python.stdout! }));

  assert.deepEqual(lines, ["suspended told resumed before"]);
});

test("Python reads through a window what it cannot map", { skip }, async () => {
  await using agent = await GuestAgent.start();
  const python = start(WINDOW, agent, MEMORY);

  const lines = await all(createInterface({ input: python.stdout! }));

  assert.deepEqual(lines, ["True"]);
});

function start(program: string, agent: GuestAgent, ...args: string[]): ChildProcess {
  return spawn("python3", ["-B", "-c", program, ...args], {
    env: { ...process.env, PYTHONPATH: "clients/python", LENDBUF_SOCKET: agent.socket },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const said: string[] = [];
  for await (const line of lines) said.push(line);
  return said;
}
