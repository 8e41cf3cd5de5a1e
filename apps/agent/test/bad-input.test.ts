import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";
import { Peer } from "./peer.ts";
import type { RawClient } from "./raw-client.ts";
import { type Watch, watchAgent } from "./trace.ts";

const MAX_PACKET = 65_536;
const FAR = Number.MAX_SAFE_INTEGER;

let agent: AgentProcess;
let watch: Watch;
let client: RawClient;

beforeAll(async () => {
  agent = await startAgent();
  watch = await watchAgent(agent);
});

afterAll(() => agent?.stop());

beforeEach(() => {
  client = agent.raw();
});

afterEach(async () => {
  client.close();
  await watch.expectNoTrace();
});

describe("a packet that is no request is answered with why, and ends the connection", () => {
  it.each([
    ["no JSON", "hello", /^The packet is not JSON: .+ The connection is closed\.$/],
    ["half of an object", '{"jsonrpc": "2.0", "id": 1,', /not JSON/],
    ["NaN, which is no JSON", '{"jsonrpc":"2.0","id":1,"method":"status.get","params":NaN}', /not JSON/],
    ["two objects", '{"jsonrpc":"2.0","id":1,"method":"status.get"}{}', /not JSON/],
    ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"status.get"}]', /^Batches are not taken/],
    ["an empty batch", "[]", /^Batches are not taken/],
    ["null", "null", /not a JSON-RPC 2\.0 request/],
    ["a number", "7", /not a JSON-RPC 2\.0 request/],
    ["a text", '"status.get"', /not a JSON-RPC 2\.0 request/],
    ["another version", '{"jsonrpc":"1.0","id":1,"method":"status.get"}', /takes "jsonrpc": "2\.0"/],
    ["no version", '{"id":1,"method":"status.get"}', /takes "jsonrpc": "2\.0"/],
    ["no method", '{"jsonrpc":"2.0","id":1}', /a "method"/],
    ["a method that is no text", '{"jsonrpc":"2.0","id":1,"method":["status.get"]}', /a "method"/],
    ["a notification", '{"jsonrpc":"2.0","method":"status.get"}', /an "id"/],
    ["null for an id", '{"jsonrpc":"2.0","id":null,"method":"status.get"}', /whole number or a string/],
    ["an object for an id", '{"jsonrpc":"2.0","id":{},"method":"status.get"}', /whole number or a string/],
    ["a fraction for an id", '{"jsonrpc":"2.0","id":1.5,"method":"status.get"}', /whole number or a string/],
    ["an id beyond 2^53", '{"jsonrpc":"2.0","id":1e300,"method":"status.get"}', /whole number or a string/],
    ["a long id", `{"jsonrpc":"2.0","id":"${"x".repeat(65)}","method":"status.get"}`, /at most 64 characters/],
    ["50,000 open brackets", "[".repeat(50_000), /not JSON/],
    ["an answer", '{"jsonrpc":"2.0","id":1,"result":{}}', /a "method"/],
  ])("%s", async (_name, text, words) => {
    client.send(text);

    const { json } = await client.packet();

    expect(json).toMatchObject({ jsonrpc: "2.0", id: null, error: { data: { code: "BAD_INPUT" } } });
    expect(json.error.message).toMatch(words);
    expect(await client.next()).toMatchObject({ closed: true });
  });
});

describe("a packet that cannot be taken at all ends the connection", () => {
  let peer: Peer;

  beforeEach(async () => {
    peer = new Peer();
    await peer.connect(agent.socket);
  });

  afterEach(() => peer.stop());

  it.each([
    ["65,537 bytes", { text: "x", repeat: MAX_PACKET + 1 }, /more than 65536 bytes/],
    ["200,000 bytes", { text: "x", repeat: 200_000 }, /more than 65536 bytes/],
    ["nothing", { text: "" }, /is empty/],
    ["a descriptor", { text: '{"jsonrpc":"2.0","id":1,"method":"status.get"}', fds: 1 }, /carries file descriptors/],
    [
      "253 descriptors",
      { text: '{"jsonrpc":"2.0","id":1,"method":"status.get"}', fds: 253 },
      /carries file descriptors/,
    ],
  ])("%s, and the client hears why", async (_name, packet, why) => {
    expect(await peer.send(packet)).not.toHaveProperty("error");

    const ends = [await peer.receive(), await peer.receive()];

    expect(ends).toContainEqual({ end: true });
    const [last] = ends.flatMap(({ text }) => (text === undefined ? [] : [JSON.parse(text)]));
    expect(last).toMatchObject({
      id: null,
      error: { message: expect.stringMatching(why), data: { code: "BAD_INPUT" } },
    });
  });

  it("but what it had asked before is answered", async () => {
    await peer.send({ text: '{"jsonrpc":"2.0","id":1,"method":"status.get"}' });
    await peer.send({ text: "" });

    expect(JSON.parse((await peer.receive()).text!)).toMatchObject({ id: 1, result: { pid: agent.pid } });
  });

  it("why is told also to who had sent more than was read: after an ECONNRESET, at most", async () => {
    for (const text of ["[]", ...Array.from({ length: 20 }, () => '{"jsonrpc":"2.0","id":1,"method":"status.get"}')])
      await peer.send({ text });

    const answers = [await peer.receive(), await peer.receive(), await peer.receive()];
    const texts = answers.flatMap(({ text }) => (text === undefined ? [] : [JSON.parse(text)]));

    expect(texts).toMatchObject([{ id: null, error: { data: { code: "BAD_INPUT" } } }]);
    expect(answers).toContainEqual({ end: true });
    expect(answers.flatMap(({ error }) => error ?? []).filter((error) => error !== "ECONNRESET")).toEqual([]);
  });

  it("credentials of its own making change nothing", async () => {
    await peer.send({ text: '{"jsonrpc":"2.0","id":1,"method":"status.get"}', credentials: true });

    expect(JSON.parse((await peer.receive()).text!)).toMatchObject({ id: 1, result: { pid: agent.pid } });
  });

  it("a reply's descriptor that the client leaves no room for is lost to it, and the delegation can be released", async () => {
    await peer.send({ text: '{"jsonrpc":"2.0","id":1,"method":"delegations.borrow","params":{"buffer":"sim0/ch0"}}' });

    const reply = await peer.receive({ control: 0 });
    const { id } = JSON.parse(reply.text!).result.delegation;

    expect(reply).toMatchObject({ truncated: true, fds: 0 });
    expect(await peer.ask("delegations.release", { id })).toMatchObject({ result: { state: "revoked" } });
  });
});

describe("a packet of 65,536 bytes", () => {
  it("is taken", async () => {
    const request = '{"jsonrpc":"2.0","id":1,"method":"status.get"}';
    client.send(request.padEnd(MAX_PACKET));

    expect((await client.packet()).json).toMatchObject({ id: 1, result: { pid: agent.pid } });
  });

  it.each([
    ["one name", { limit: 1, ["x".repeat(65_000)]: 1 }],
    ["thousands of names", Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i]))],
  ])("full of fields that nobody knows, %s, is refused in few words", async (_name, params) => {
    const { error } = await client.ask("buffers.list", params);

    expect(error.data.code).toBe("BAD_INPUT");
    expect(JSON.stringify(error).length).toBeLessThan(4000);
  });

  it("full of ids that are none is refused in few words", async () => {
    const { error } = await client.ask("delegations.revoke", { ids: Array.from({ length: 12_000 }, () => "x") });

    expect(error.data.code).toBe("BAD_INPUT");
    expect(JSON.stringify(error).length).toBeLessThan(4000);
  });
});

describe("text", () => {
  it("that is not UTF-8 reads as U+FFFD", async () => {
    const packet = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"buffers.get","params":{"name":"sim0/_"}}');
    packet[packet.indexOf("_")] = 0xff;
    client.send(packet);

    expect((await client.packet()).json).toMatchObject({ id: 1, error: { data: { code: "BAD_INPUT" } } });
  });

  it.each([
    ["control characters", "a\u0000b\u001b[2J\r\nc"],
    ["half of a surrogate pair", "\ud800"],
    ["200 characters of three bytes", "€".repeat(200)],
    ["what SQL would mean", "'); DROP TABLE delegations; --"],
  ])("with %s in a purpose is kept as it is, and the audit stays whole", async (_name, purpose) => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ch1", purpose });
    await client.ask("delegations.release", { id: result.id });

    const { result: kept } = await client.ask("delegations.get", { id: result.id });

    expect(kept).toMatchObject({ purpose, state: "cancelled" });
    expect(await client.ask("audit.verify")).toMatchObject({ result: { ok: true } });
  });
});

describe("a method that there is not", () => {
  const names = [
    "nope",
    "",
    "status",
    "delegations",
    "status.get.",
    "STATUS.GET",
    "delegations.constructor",
    "delegations.toString",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "_def",
    "createCaller",
  ];
  const long = ["60,000 letters", "x".repeat(60_000)] as const;

  it.each([...names.map((name) => [`"${name}"`, name] as const), long])(
    "%s, is answered UNKNOWN_METHOD, and the connection goes on",
    async (_name, method) => {
      const { error } = await client.ask(method);

      expect(error).toMatchObject({ code: -32601, data: { code: "UNKNOWN_METHOD" } });
      expect(error.message).toBe(`There is no method "${method.slice(0, 100)}". docs/protocol.md lists them.`);
      expect(await client.ask("status.get")).toHaveProperty("result");
    },
  );
});

const BORROW = { buffer: "sim0/ch0" };
const DEFINE = { name: "lab/new", device: "sim0", region: 2, ranges: [{ offset: 0x400000, length: 4096 }] };

function withRange(offset: unknown, length: unknown) {
  return { ...DEFINE, ranges: [{ offset, length }] };
}

/** What is asked, the refusal's code, and words that tell what is in the way. */
const REFUSED: [name: string, method: string, params: unknown, code: string, words: RegExp][] = [
  ["params that are null", "status.get", null, "BAD_INPUT", /expected object/],
  ["params by position", "buffers.get", ["sim0/ch0"], "BAD_INPUT", /expected object/],
  ["params that are a text", "buffers.get", "sim0/ch0", "BAD_INPUT", /expected object/],
  ["no params where some are needed", "buffers.get", undefined, "BAD_INPUT", /expected object/],
  ["a field too many", "buffers.get", { name: "sim0/ch0", colour: "red" }, "BAD_INPUT", /Unrecognized key: "colour"/],
  ["a prototype", "buffers.get", JSON.parse('{"__proto__": {"name": "sim0/ch0"}}'), "BAD_INPUT", /name/],
  ["a number for a name", "buffers.get", { name: 7 }, "BAD_INPUT", /name: .*expected string/],
  ["a name with a newline", "buffers.get", { name: "sim0/ch0\n" }, "BAD_INPUT", /name: letters, digits/],
  ["a name of 10 kB", "buffers.get", { name: "x".repeat(10_000) }, "BAD_INPUT", /at most 128 characters/],
  ["an empty name", "buffers.get", { name: "" }, "BAD_INPUT", /name: letters, digits/],
  ["a name like a path", "buffers.get", { name: "../etc" }, "BAD_INPUT", /name: letters, digits/],
  ["a name that nobody gave", "buffers.get", { name: "sim0/nope" }, "NOT_FOUND", /no buffer "sim0\/nope".*lists them/],
  ["a name of a prototype", "buffers.get", { name: "constructor" }, "NOT_FOUND", /no buffer "constructor"/],
  ["a page of none", "buffers.list", { limit: 0 }, "BAD_INPUT", /limit: .*>=1/],
  ["a page of 501", "buffers.list", { limit: 501 }, "BAD_INPUT", /limit: .*<=500/],
  ["half a page", "buffers.list", { limit: 1.5 }, "BAD_INPUT", /limit: .*int/],

  ["an id of 0", "delegations.get", { id: 0 }, "BAD_INPUT", /id: .*>0/],
  ["a negative id", "delegations.get", { id: -1 }, "BAD_INPUT", /id: .*>0/],
  ["an id as a text", "delegations.get", { id: "1" }, "BAD_INPUT", /id: .*expected number/],
  ["an id beyond 2^53", "delegations.get", { id: 2 ** 53 }, "BAD_INPUT", /id: .*<=9007199254740991/],
  ["an id of 1e400", "delegations.get", '{"id": 1e400}', "BAD_INPUT", /id: .*expected/],
  ["an id that nobody got", "delegations.get", { id: FAR }, "NOT_FOUND", /no delegation 9007199254740991/],
  ["following what is not there", "delegations.follow", { id: FAR }, "NOT_FOUND", /no delegation/],
  ["claiming what is not there", "delegations.claim", { id: FAR }, "NOT_FOUND", /no delegation/],
  ["extending what is not there", "delegations.extend", { id: FAR, byMs: 1 }, "NOT_FOUND", /no delegation/],
  ["releasing what is not there", "delegations.release", { id: FAR }, "NOT_FOUND", /no delegation/],
  ["revoking nothing", "delegations.revoke", { ids: [] }, "BAD_INPUT", /ids: .*>=1/],
  [
    "revoking too many",
    "delegations.revoke",
    { ids: Array.from({ length: 2000 }, (_, i) => i + 1) },
    "BAD_INPUT",
    /ids: /,
  ],
  ["revoking with a negative notice", "delegations.revoke", { ids: [1], noticeMs: -1 }, "BAD_INPUT", /noticeMs: .*>=0/],
  ["a state that there is not", "delegations.list", { states: ["asleep"] }, "BAD_INPUT", /states\.0: /],

  [
    "a lease of 0",
    "delegations.borrow",
    { ...BORROW, leaseMs: 0 },
    "BAD_INPUT",
    /leaseMs: a lease is longer than nothing/,
  ],
  [
    "a negative lease",
    "delegations.borrow",
    { ...BORROW, leaseMs: -1 },
    "BAD_INPUT",
    /leaseMs: a lease is longer than/,
  ],
  ["a lease of half a millisecond", "delegations.borrow", { ...BORROW, leaseMs: 0.5 }, "BAD_INPUT", /whole number/],
  ["a lease of null", "delegations.borrow", { ...BORROW, leaseMs: null }, "BAD_INPUT", /leaseMs: /],
  ["a lease of NaN", "delegations.borrow", '{"buffer": "sim0/ch0", "leaseMs": "NaN"}', "BAD_INPUT", /leaseMs: /],
  ["a lease in words", "delegations.borrow", { ...BORROW, leaseMs: "1h" }, "BAD_INPUT", /leaseMs: /],
  ["a lease of 1e400", "delegations.borrow", '{"buffer": "sim0/ch0", "leaseMs": 1e400}', "BAD_INPUT", /leaseMs: /],
  ["a lease beyond 2^53", "delegations.borrow", { ...BORROW, leaseMs: 2 ** 53 }, "BAD_INPUT", /leaseMs: /],
  [
    "a lease of 30 days",
    "delegations.borrow",
    { ...BORROW, leaseMs: 30 * 86_400_000 },
    "LIMIT",
    /30d is longer than 7d.*--max-lease/,
  ],
  ["a lease of 1e12", "delegations.borrow", { ...BORROW, leaseMs: 1e12 }, "LIMIT", /longer than 7d/],
  ["a lease of 2^53 - 1", "delegations.request", { ...BORROW, leaseMs: FAR }, "LIMIT", /longer than 7d/],
  [
    "a lease one millisecond too long",
    "delegations.request",
    { ...BORROW, leaseMs: 7 * 86_400_000 + 1 },
    "LIMIT",
    /longer than 7d/,
  ],
  [
    "an offer of two days",
    "delegations.request",
    { ...BORROW, offerMs: 2 * 86_400_000 },
    "BAD_INPUT",
    /offerMs: .*<=86400000/,
  ],
  [
    "an access that there is not",
    "delegations.borrow",
    { ...BORROW, access: "write-only" },
    "BAD_INPUT",
    /access: .*"read-only"\|"read-write"/,
  ],
  [
    "a second writer",
    "delegations.borrow",
    { ...BORROW, share: "shared" },
    "UNSUPPORTED",
    /one writer at a time.*Ask for/,
  ],
  [
    "a purpose of 201 characters",
    "delegations.borrow",
    { ...BORROW, purpose: "x".repeat(201) },
    "BAD_INPUT",
    /purpose: .*<=200/,
  ],
  ["keep as a text", "delegations.borrow", { ...BORROW, keep: "yes" }, "BAD_INPUT", /keep: .*expected boolean/],
  ["an account for a borrow", "delegations.borrow", { ...BORROW, account: "uid:0" }, "BAD_INPUT", /"account"/],
  [
    "an account in words",
    "delegations.request",
    { ...BORROW, account: "somebody else" },
    "BAD_INPUT",
    /account: an account is written alice, or uid:1000/,
  ],
  [
    "a buffer that is taken",
    "delegations.borrow",
    { buffer: "sim0/ddr" },
    "BUSY",
    /is lent until 20\d\d-.*Wait in line/,
  ],
  ["a buffer that is not there", "delegations.borrow", { buffer: "sim0/nope" }, "NOT_FOUND", /no buffer/],

  [
    "a buffer that exists",
    "buffers.define",
    { ...DEFINE, name: "sim0/ch0" },
    "ALREADY_EXISTS",
    /exists already\. Choose/,
  ],
  ["a device that is not there", "buffers.define", { ...DEFINE, device: "sim9" }, "NOT_FOUND", /no device "sim9"/],
  ["a region that is not there", "buffers.define", { ...DEFINE, region: 1 }, "BAD_INPUT", /no region 1\. It has 0, 2/],
  ["region 256", "buffers.define", { ...DEFINE, region: 256 }, "BAD_INPUT", /region: /],
  ["no range", "buffers.define", { ...DEFINE, ranges: [] }, "BAD_INPUT", /at least one range/],
  [
    "17 ranges",
    "buffers.define",
    { ...DEFINE, ranges: Array.from({ length: 17 }, (_, i) => ({ offset: 0x400000 + i * 4096, length: 4096 })) },
    "BAD_INPUT",
    /ranges: .*<=16/,
  ],
  ["an empty range", "buffers.define", withRange(0x400000, 0), "BAD_INPUT", /0x400000\+0x0 is empty/],
  [
    "a misaligned offset",
    "buffers.define",
    withRange(0x400001, 4096),
    "BAD_INPUT",
    /not aligned to pages of 4096 bytes/,
  ],
  ["a misaligned length", "buffers.define", withRange(0x400000, 4095), "BAD_INPUT", /not aligned/],
  [
    "a range past the end",
    "buffers.define",
    withRange(0xfff000, 8192),
    "BAD_INPUT",
    /past the end of region 2, which has 0x1000000 bytes/,
  ],
  ["a range behind the end", "buffers.define", withRange(0x1000000, 4096), "BAD_INPUT", /past the end/],
  ["an offset near 2^53", "buffers.define", withRange(FAR - 4095, 4096), "BAD_INPUT", /past the end/],
  ["a length near 2^53", "buffers.define", withRange(0x400000, FAR - 4095), "BAD_INPUT", /past the end/],
  ["a sum beyond 2^53", "buffers.define", withRange(FAR - 4095, FAR - 4095), "BAD_INPUT", /past the end/],
  ["an offset of 2^64 - 4096", "buffers.define", withRange(2 ** 64 - 4096, 4096), "BAD_INPUT", /ranges\.0\.offset: /],
  ["a negative offset", "buffers.define", withRange(-4096, 8192), "BAD_INPUT", /ranges\.0\.offset: /],
  ["an offset as a text", "buffers.define", withRange("0x400000", 4096), "BAD_INPUT", /ranges\.0\.offset: /],
  [
    "ranges that overlap each other",
    "buffers.define",
    {
      ...DEFINE,
      ranges: [
        { offset: 0x400000, length: 8192 },
        { offset: 0x401000, length: 4096 },
      ],
    },
    "BAD_INPUT",
    /overlaps another range of its own/,
  ],
  [
    "a range of another buffer",
    "buffers.define",
    withRange(0, 4096),
    "OVERLAP",
    /overlaps buffer "sim0\/ch0".*Choose free ranges/,
  ],
  [
    "removing what came with the device",
    "buffers.remove",
    { name: "sim0/ch0" },
    "NOT_ALLOWED",
    /comes with sim0 and stays/,
  ],
  ["removing what is not there", "buffers.remove", { name: "lab/nope" }, "NOT_FOUND", /no buffer/],
  ["an audit from -1 on", "audit.list", { after: -1 }, "BAD_INPUT", /after: .*>=0/],
];

describe("a request that is refused is answered, and changes nothing", () => {
  it.each(REFUSED)("%s: %s", async (_name, method, params, code, words) => {
    const before = await client.ask("status.get");
    const text = typeof params === "string" && params.startsWith("{") ? params : JSON.stringify(params);
    client.send(`{"jsonrpc":"2.0","id":"x","method":"${method}"${text === undefined ? "" : `,"params":${text}`}}`);

    let { json } = await client.packet();
    if (json.result?.subscription) ({ json } = await client.packet());
    const error = json.error ?? json.params.error;

    expect(error.data.code, error.message).toBe(code);
    expect(error.message).toMatch(words);
    expect((await client.ask("status.get")).result.counts).toEqual(before.result.counts);
  });
});

describe("a delegation", () => {
  it("cannot be claimed twice", async () => {
    const { result } = await client.ask("delegations.borrow", { buffer: "sim0/ch0" });

    const { error } = await client.ask("delegations.claim", { id: result.delegation.id });

    expect(error.data.code).toBe("ALREADY_CLAIMED");
    expect(error.message).toMatch(/is claimed already by pid \d+\. Only one that was asked for with keep/);
  });

  it("cannot be claimed while it waits, and tells its place", async () => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ddr", wait: true });

    const { error } = await client.ask("delegations.claim", { id: result.id });
    await client.ask("delegations.release", { id: result.id });

    expect(error).toMatchObject({ data: { code: "NOT_READY" } });
    expect(error.message).toMatch(/still waits in line, at place 1\. Follow it/);
  });

  it.each(["claim", "extend"])("that has ended refuses %s, and says how it ended", async (verb) => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ch0" });
    await client.ask("delegations.release", { id: result.id });

    const { error } = await client.ask(`delegations.${verb}`, { id: result.id, ...(verb === "extend" && { byMs: 1 }) });

    expect(error.data.code).toBe("ENDED");
    expect(error.message).toMatch(/\(cancelled, withdrawn\).*Ask for a new one/);
  });

  it("that has ended can be ended again, and is what it was", async () => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ch0" });
    const { result: first } = await client.ask("delegations.release", { id: result.id });

    const { result: second } = await client.ask("delegations.release", { id: result.id });
    const { result: third } = await client.ask("delegations.revoke", { ids: [result.id, result.id] });

    expect(second).toEqual(first);
    expect(third).toEqual([first, first]);
  });

  it("cannot be extended before its claim, nor beyond the longest lease", async () => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ch0" });

    const early = await client.ask("delegations.extend", { id: result.id, byMs: 1000 });
    await client.ask("delegations.claim", { id: result.id });
    const far = await client.ask("delegations.extend", { id: result.id, byMs: FAR });
    const week = await client.ask("delegations.extend", { id: result.id, byMs: 7 * 86_400_000 });

    expect(early.error.data.code).toBe("NOT_READY");
    expect(far.error.data.code).toBe("LIMIT");
    expect(week.error.data.code).toBe("LIMIT");
    expect((await client.ask("delegations.get", { id: result.id })).result).toMatchObject({ leaseMs: 3_600_000 });
  });

  it("is not revoked where another of the ids is refused", async () => {
    const { result } = await client.ask("delegations.request", { buffer: "sim0/ch0" });

    const { error } = await client.ask("delegations.revoke", { ids: [result.id, FAR] });

    expect(error.data.code).toBe("NOT_FOUND");
    expect((await client.ask("delegations.get", { id: result.id })).result.state).toBe("offered");
    await client.ask("delegations.release", { id: result.id });
  });

  it("keeps its buffer from being removed", async () => {
    await client.ask("buffers.define", DEFINE);
    const { result } = await client.ask("delegations.request", { buffer: DEFINE.name });

    const { error } = await client.ask("buffers.remove", { name: DEFINE.name });
    await client.ask("delegations.release", { id: result.id });
    await client.ask("buffers.remove", { name: DEFINE.name });

    expect(error.data.code).toBe("IN_USE");
    expect(error.message).toMatch(/has 1 delegations?.*End them first/);
  });
});

describe("a request's id", () => {
  it("can be anything that is allowed, and comes back as it was", async () => {
    for (const id of [0, -1, FAR, "", "x".repeat(64), "__proto__", "1"]) {
      client.send({ jsonrpc: "2.0", id, method: "status.get" });

      expect((await client.packet()).json.id).toBe(id);
    }
  });

  it("that is still in use is refused, and what has it goes on", async () => {
    client.send({ jsonrpc: "2.0", id: 1, method: "delegations.borrow", params: { buffer: "sim0/ddr", wait: true } });
    client.send({ jsonrpc: "2.0", id: 1, method: "status.get" });

    const { json: refusal } = await client.packet();
    client.send({ jsonrpc: "2.0", id: 2, method: "cancel", params: { id: 1 } });
    const answers = [(await client.packet()).json, (await client.packet()).json];

    expect(refusal).toMatchObject({ id: 1, error: { data: { code: "BAD_INPUT" } } });
    expect(refusal.error.message).toMatch(/still in use\. Give each request an id of its own/);
    expect(answers).toMatchObject([
      { id: 2, result: {} },
      { id: 1, error: { data: { code: "CANCELLED" } } },
    ]);
  });

  it.each([undefined, null, 7, {}, { id: 99 }, { id: null }, { id: "__proto__" }, { id: [] }])(
    "cancelling %j, which is none that runs, is no error",
    async (params) => {
      expect(await client.ask("cancel", params)).toMatchObject({ result: {} });
    },
  );
});
