import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { packetSocketPair } from "@lendbuf/native/addon";
import { wardenPath } from "@lendbuf/native/build";
import { decode, encodeExport, encodeRevoke } from "@lendbuf/native/warden/protocol";
import { Store } from "../apps/agent/src/store/store.ts";
import { BenchAgent, temporaryFolder } from "./agent.ts";
import { SIZE } from "./cycle.ts";
import { borrowed, ended } from "./history.ts";
import { median } from "./numbers.ts";
import type { Line } from "./table.ts";

const ROUNDS = 5;
const TIMES = 600;
const WARM_UP = 1500;

/** Where the time of a grant and a revoke goes: each part by itself, in a loop of its own. */
export async function parts(): Promise<Line[]> {
  const call = await callAlone();
  const warden = await wardenAlone();
  return [
    "Where the time goes: the parts by themselves",
    { what: "a call that changes nothing, over the socket", ours: call },
    { what: "warden: export", ours: warden.exports },
    { what: "warden: revoke", ours: warden.revokes },
    ...storeAlone(),
  ];
}

async function callAlone(): Promise<number[]> {
  await using agent = await BenchAgent.start();
  const connection = await agent.connect();
  return await rounds(() => connection.call("buffers.get", { name: "sim0/ddr" }));
}

/** The median of each round. */
async function rounds(work: () => Promise<unknown>): Promise<number[]> {
  for (let i = 0; i < WARM_UP; i++) await work();
  const medians: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const taken: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const start = performance.now();
      await work();
      taken.push(performance.now() - start);
    }
    medians.push(median(taken));
  }
  return medians;
}

/** A warden and nothing else: this process is its agent. */
async function wardenAlone(): Promise<{ exports: number[]; revokes: number[] }> {
  const folder = temporaryFolder();
  const { socket, fd } = packetSocketPair();
  const lastWord = join(folder.path, "last-word.json");
  const args = ["--device", "bench", "--simulated", "--instance", "bench", "--last-word", lastWord];
  const child = spawn(wardenPath(), args, { stdio: ["ignore", "ignore", "inherit", fd] });
  closeSync(fd);
  const exited = new Promise((resolve) => child.once("close", resolve));
  let answered: () => void = () => {};
  const answer = () => new Promise<void>((resolve) => (answered = resolve));
  const ready = answer();
  socket.start({
    encoding: "bytes",
    acceptFds: true,
    onPacket: (bytes, fds) => {
      decode(bytes);
      for (const lent of fds) closeSync(lent);
      answered();
    },
    onClose: () => answered(),
  });
  await ready;
  let id = 0;
  const range = { offset: 4 << 20, length: SIZE };
  const lend = () => {
    socket.send(encodeExport({ serial: ++id, id, kind: "memfd", region: 2, ranges: [range], readOnly: false }));
    return answer();
  };
  const takeBack = () => {
    socket.send(encodeRevoke(id, [id]));
    return answer();
  };
  const exports: number[] = [];
  const both = await rounds(async () => {
    const start = performance.now();
    await lend();
    exports.push(performance.now() - start);
    await takeBack();
  });
  socket.close();
  await exited;
  folder.remove();
  const perRound = Array.from({ length: ROUNDS }, (_none, i) =>
    median(exports.slice(WARM_UP + i * TIMES, WARM_UP + (i + 1) * TIMES)),
  );
  return { exports: perRound, revokes: both.map((value, i) => value - perRound[i]!) };
}

/** The rows of a borrow, written as the agent writes them. */
function storeAlone(): Line[] {
  const folder = temporaryFolder();
  const store = new Store({ directory: folder.path, durability: "NORMAL" });
  let id = 0;
  const taken = { grant: [] as number[], end: [] as number[] };
  for (let round = -2; round < ROUNDS; round++) {
    const grants: number[] = [];
    const ends: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const start = performance.now();
      store.record(borrowed(++id));
      const between = performance.now();
      store.record(ended(id));
      ends.push(performance.now() - between);
      grants.push(between - start);
    }
    if (round < 0) continue;
    taken.grant.push(median(grants));
    taken.end.push(median(ends));
  }
  store.close();
  folder.remove();
  return [
    { what: "store: the row of a grant", ours: taken.grant },
    { what: "store: the row of an end", ours: taken.end },
  ];
}
