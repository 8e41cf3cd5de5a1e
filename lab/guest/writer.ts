// node writer.mjs PORT: an agent whose dashboard answers at PORT, and a client that goes on writing into a real device's memory. Says as lines
// of JSON where the dashboard is, and once the memory is gone what became of every store after that.
import { setTimeout as delay } from "node:timers/promises";
import { addressOf, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import { GuestAgent } from "./agent.ts";

const OFFSET = 0x800000;
const BETWEEN_MS = 10;
const TRIES_AFTER = 100;

const agent = await GuestAgent.start(["--port", process.argv[2]!]);
const client = await agent.connect();
const buffer = `${addressOf(IVSHMEM)}/bar2`;
const lease = await client.borrow({ buffer, purpose: "writes a counter" });
const memory = lease.map();
const { url } = await client.call("sessions.createLink", {});
say({ link: url, buffer, offset: OFFSET });

let stored = 0;
let code = store();
for (; code === "stored"; code = store()) await delay(BETWEEN_MS);
const last = stored;
const later = new Set<string>([code]);
for (let i = 0; i < TRIES_AFTER; i++) later.add(store());
say({ last, later: [...later] });
setInterval(() => {}, 60_000); // until the machine is ended from outside

function store(): string {
  try {
    memory.store(OFFSET, 32, stored + 1);
    stored++;
    return "stored";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function say(words: object): void {
  console.log(JSON.stringify(words));
}
