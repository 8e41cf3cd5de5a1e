import { connect } from "@lendbuf/client/connect";

const c = await connect({ path: process.env.LENDBUF_SOCKET! });
const N = Number(process.env.N ?? 3000);
import { readFileSync } from "node:fs";
const st = await c.call("status.get");
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" "); return [Number(f[11]) * 1e4, Number(f[12]) * 1e4] as const; };
const pids: [string, number][] = [["agent", st.pid], ["warden", st.devices[0]!.warden!.pid], ["client", process.pid]];
let before = pids.map(([, pid]) => cpu(pid));
const used = () => { const now = pids.map(([, pid]) => cpu(pid)); const out = pids.map(([n], i) => `${n} u${((now[i]![0] - before[i]![0]) / N).toFixed(0)}+s${((now[i]![1] - before[i]![1]) / N).toFixed(0)}`).join(" "); before = now; return `[cpu us: ${out}]`; };
await c
  .call("buffers.define", { name: "q/64k", device: "sim0", region: 2, ranges: [{ offset: 4 << 20, length: 65536 }] })
  .catch(() => {});
const p = (t: number[]) => {
  t.sort((a, b) => a - b);
  return `p50 ${(t[t.length >> 1]! * 1000).toFixed(0)} us p99 ${(t[Math.floor(t.length * 0.99)]! * 1000).toFixed(0)}`;
};
for (let round = 0; round < 2; round++) {
  let t: number[] = [];
  for (let i = 0; i < N; i++) {
    const a = performance.now();
    await c.call("status.get");
    t.push(performance.now() - a);
  }
  console.log("status.get", p(t), used());
  t = [];
  for (let i = 0; i < N; i++) {
    const a = performance.now();
    const l = await c.borrow({ buffer: "q/64k" });
    await c.call("delegations.release", { id: l.delegation.id });
    t.push(performance.now() - a);
    l.close();
  }
  console.log("borrow+release", p(t), used());
  t = [];
  const u: number[] = [],
    v: number[] = [],
    w: number[] = [];
  for (let i = 0; i < N; i++) {
    const a = performance.now();
    const d = await c.call("delegations.request", { buffer: "q/64k" });
    const b = performance.now();
    const l = await c.claim(d.id);
    const e = performance.now();
    await c.call("delegations.revoke", { ids: [d.id] });
    const f = performance.now();
    t.push(f - a);
    u.push(b - a);
    v.push(e - b);
    w.push(f - e);
    l.close();
  }
  console.log("request+claim+revoke", p(t), "| request", p(u), "| claim", p(v), "| revoke", p(w), used());
}
c.close();
