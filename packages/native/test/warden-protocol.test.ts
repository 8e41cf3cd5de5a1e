import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import * as adoption from "../src/warden/adoption-protocol.ts";
import * as protocol from "../src/warden/protocol.ts";
import { compiled } from "./compiled.ts";

const header: Record<string, number> = JSON.parse(execFileSync(compiled("warden-protocol.cc"), { encoding: "utf8" }));

describe("the packets", () => {
  it("have the same sizes, numbers and flags in TypeScript and in protocol.h", () => {
    const { VERSION, MAX_PACKET, MAX_RANGES, MAX_IDS, MAX_REVOKED_ENTRIES, TYPES, FLAGS, REGION_FLAGS, SIZES } =
      protocol;
    const listed = (what: string, names: readonly (string | null)[]) =>
      Object.fromEntries(names.map((name, value) => [`${what} ${name}`, value]));
    const { "kind null": _, ...kinds } = listed("kind", protocol.KINDS);
    const named = (what: string, values: Record<string, number>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [`${what} ${name}`, value]));

    expect({
      ...{ SECRET_SIZE: adoption.SECRET_SIZE, ...named("size", adoption.ADOPTION_SIZES) },
      ...{ VERSION, MAX_PACKET, MAX_RANGES, MAX_IDS, MAX_REVOKED_ENTRIES, ...kinds },
      ...{ ...listed("method", protocol.METHODS), ...listed("scope", protocol.SCOPES) },
      ...{ ...listed("access", protocol.ACCESSES), ...listed("unlendable", protocol.UNLENDABLES) },
      ...{ ...named("type", TYPES), ...named("size", SIZES) },
      ...{ ...named("flag", FLAGS), ...named("region flag", REGION_FLAGS) },
    }).toEqual(Object.fromEntries(Object.entries(header).filter(([name]) => !name.startsWith("at "))));
  });

  it("have each field of EXPORT where protocol.h has it", () => {
    const ranges = [
      { offset: 0x1_0000_1000, length: 0x2000 },
      { offset: 0x8000, length: 2 ** 40 },
    ];

    const bytes = Buffer.from(
      protocol.encodeExport({
        serial: 7,
        id: 2 ** 53 - 1,
        region: 2,
        ranges,
        readOnly: true,
        kind: "staged",
      }),
    );

    expect(bytes.length).toBe(header["size export"]! + 2 * header["size range"]!);
    expect(bytes.readUInt32LE(header["at header.serial"])).toBe(7);
    expect(bytes.readBigUInt64LE(header["at export.id"])).toBe(2n ** 53n - 1n);
    expect(bytes.readUInt32LE(header["at export.region"])).toBe(2);
    expect(bytes.readUInt32LE(header["at export.flags"])).toBe(1);
    expect(bytes.readUInt32LE(header["at export.range_count"])).toBe(2);
    expect(bytes.readUInt32LE(header["at export.kind"])).toBe(3);
    expect(bytes.readBigUInt64LE(header["size export"]!)).toBe(0x1_0000_1000n);
    expect(bytes.readBigUInt64LE(header["size export"]! + 24)).toBe(2n ** 40n);
  });

  it("have each field of REVOKE where protocol.h has it", () => {
    const bytes = Buffer.from(protocol.encodeRevoke(9, [5, 2 ** 40]));

    expect(bytes.length).toBe(header["size revoke"]! + 16);
    expect(bytes.readUInt32LE(0)).toBe(header["type revoke"]);
    expect(bytes.readUInt32LE(header["at header.serial"])).toBe(9);
    expect(bytes.readUInt32LE(header["at revoke.count"])).toBe(2);
    expect(bytes.readUInt32LE(header["at revoke.flags"])).toBe(0);
    expect(Buffer.from(protocol.encodeRevoke(9, [5], true)).readUInt32LE(header["at revoke.flags"])).toBe(1);
    expect(bytes.readBigUInt64LE(header["size revoke"]! + 8)).toBe(2n ** 40n);
  });

  it("have each field of SCRUB where protocol.h has it", () => {
    const ranges = [{ offset: 0x1_0000_1000, length: 0x2000 }];

    const bytes = Buffer.from(protocol.encodeScrub({ serial: 3, region: 2, ranges, word: 2n ** 64n - 3n, width: 64 }));

    expect(bytes.length).toBe(header["size scrub"]! + header["size range"]!);
    expect(bytes.readUInt32LE(0)).toBe(header["type scrub"]);
    expect(bytes.readUInt32LE(header["at header.serial"])).toBe(3);
    expect(bytes.readBigUInt64LE(header["at scrub.word"])).toBe(2n ** 64n - 3n);
    expect(bytes.readUInt32LE(header["at scrub.region"])).toBe(2);
    expect(bytes.readUInt32LE(header["at scrub.range_count"])).toBe(1);
    expect(bytes.readUInt32LE(header["at scrub.width"])).toBe(64);
    expect(bytes.readBigUInt64LE(header["size scrub"]!)).toBe(0x1_0000_1000n);
  });

  it("have each field of ACCESS where protocol.h has it", () => {
    const access = { serial: 5, region: 2, offset: 0x1_0000_1000, width: 64 };

    const bytes = Buffer.from(protocol.encodeAccess({ ...access, value: 2n ** 64n - 2n }));

    expect(bytes.length).toBe(header["size registerAccess"]);
    expect(bytes.readUInt32LE(0)).toBe(header["type access"]);
    expect(bytes.readUInt32LE(header["at header.serial"])).toBe(5);
    expect(bytes.readBigUInt64LE(header["at registerAccess.offset"])).toBe(0x1_0000_1000n);
    expect(bytes.readBigUInt64LE(header["at registerAccess.value"])).toBe(2n ** 64n - 2n);
    expect(bytes.readUInt32LE(header["at registerAccess.region"])).toBe(2);
    expect(bytes.readUInt32LE(header["at registerAccess.width"])).toBe(64);
    expect(bytes.readUInt32LE(header["at registerAccess.is_store"])).toBe(1);
    const load = Buffer.from(protocol.encodeAccess({ ...access, value: null }));
    expect(load.readUInt32LE(header["at registerAccess.is_store"])).toBe(0);
  });

  it("have each field of SYNC and of SUSPEND where protocol.h has it", () => {
    const place = { id: 2 ** 40, offset: 0x1_0000_1000, length: 0x2_0000_2000, width: 16 };

    const sync = Buffer.from(protocol.encodeSync({ serial: 5, ...place, toDevice: true }));
    const suspend = Buffer.from(protocol.encodeSuspend(6, true));

    expect([sync.length, suspend.length]).toEqual([header["size sync"], header["size suspend"]]);
    expect([sync.readUInt32LE(0), suspend.readUInt32LE(0)]).toEqual([header["type sync"], header["type suspend"]]);
    expect([sync, suspend].map((bytes) => bytes.readUInt32LE(header["at header.serial"]))).toEqual([5, 6]);
    expect(sync.readBigUInt64LE(header["at sync.id"])).toBe(2n ** 40n);
    expect(sync.readBigUInt64LE(header["at sync.offset"])).toBe(0x1_0000_1000n);
    expect(sync.readBigUInt64LE(header["at sync.length"])).toBe(0x2_0000_2000n);
    expect(sync.readUInt32LE(header["at sync.width"])).toBe(16);
    expect(sync.readUInt32LE(header["at sync.to_device"])).toBe(1);
    expect(suspend.readUInt32LE(header["at suspend.suspend"])).toBe(1);
  });

  it("are decoded from where protocol.h has each field of DONE", () => {
    const fixed = Buffer.alloc(header["size done"]!);
    fixed.writeUInt32LE(header["type done"]!, 0);
    fixed.writeUInt32LE(3, 4);
    fixed.writeBigUInt64LE(2n ** 63n, header["at done.value"]);
    fixed.writeInt32LE(16, header["at done.error"]);

    expect(protocol.decode(Buffer.concat([fixed, Buffer.from("busy")]))).toEqual({
      ...{ type: "done", serial: 3, error: 16, value: 2n ** 63n, words: "busy" },
    });
  });

  it("are decoded from where protocol.h has each field of REVOKED", () => {
    const bytes = Buffer.alloc(header["size revoked"]! + header["size revokedEntry"]!);
    const entry = header["size revoked"]!;
    bytes.writeUInt32LE(header["type revoked"]!, 0);
    bytes.writeUInt32LE(3, 4);
    bytes.writeUInt32LE(1, header["at revoked.count"]);
    bytes.writeBigUInt64LE(2n ** 40n, entry + header["at revokedEntry.id"]!);
    bytes.writeBigUInt64LE(1500n, entry + header["at revokedEntry.duration_ns"]!);
    bytes.writeUInt32LE(3, entry + header["at revokedEntry.method"]!);
    bytes.writeInt32LE(16, entry + header["at revokedEntry.error"]!);
    bytes.writeUInt32LE(1, entry + header["at revokedEntry.safe"]!);
    bytes.writeInt32LE(-1, entry + header["at revokedEntry.probe"]!);

    expect(protocol.decode(bytes)).toEqual({
      type: "revoked",
      serial: 3,
      entries: [{ id: 2 ** 40, durationUs: 1.5, method: "ftruncate", error: 16, safe: true, probe: -1 }],
    });
  });

  it("are decoded from where protocol.h has each field of READY", () => {
    const make = (struct: string, fields: Record<string, number>) => {
      const bytes = Buffer.alloc(header[`size ${struct}`]!);
      for (const [name, value] of Object.entries(fields)) bytes.writeUInt32LE(value, header[`at ${struct}.${name}`]!);
      return bytes;
    };
    const ready = make("ready", { version: 9, region_count: 1, exporter_count: 2, access: 1 });
    ready.writeUInt32LE(header["type ready"]!, 0);
    const region = make("region", { index: 3, flags: 5, unlendable: 3 });
    region.writeBigUInt64LE(2n ** 40n, header["at region.size"]);
    region.writeBigUInt64LE(0x2000n, header["at region.withheld"]);
    region.writeBigUInt64LE(0x1000n, header["at region.withheld"]! + 8);
    const packet = [
      ready,
      region,
      make("exporter", { kind: 2, works: 1, method: 4, scope: 2, mappable: 1, rung_count: 2 }),
      make("exporter", { kind: 3, rung_count: 1 }),
      make("rung", { method: 4, scope: 2, works: 1 }),
      make("rung", { method: 1, scope: 1, error: 25 }),
      make("rung", { method: 3, scope: 1, works: 1 }),
      ...["all in all", "not here", "works", "does not, naïvely", "cut"].map((text) => Buffer.from(`${text}\0`)),
    ];

    expect(protocol.decode(Buffer.concat(packet))).toEqual({
      ...{ type: "ready", version: 9, access: "cdev" },
      regions: [
        {
          ...{ index: 3, size: 2 ** 40, readable: true, writable: false, mappable: true },
          ...{ unlendable: "msix-table", withheld: { offset: 0x2000, length: 0x1000 } },
        },
      ],
      exporters: [
        {
          ...{ kind: "vfio", works: true, method: "device-close", scope: "device", mappable: true },
          words: "all in all",
          rungs: [
            { method: "device-close", scope: "device", works: true, error: 0, words: "works" },
            { method: "dma-buf-revoke", scope: "buffer", works: false, error: 25, words: "does not, naïvely" },
          ],
        },
        {
          ...{ kind: "staged", works: false, method: null, scope: "none", mappable: false, words: "not here" },
          rungs: [{ method: "ftruncate", scope: "buffer", works: true, error: 0, words: "cut" }],
        },
      ],
    });
  });

  it("have each field of WAIT, DEADLINE and ADOPT where adoption_protocol.h has it", () => {
    const secret = Buffer.alloc(adoption.SECRET_SIZE, "s");

    const wait = Buffer.from(adoption.encodeWait(3, 10_000, secret));
    const deadline = Buffer.from(adoption.encodeDeadline(4, 2 ** 40, 2 ** 33 + 0.5));
    const adopt = Buffer.from(adoption.encodeAdopt(secret, true, 9));

    const sent = { wait, deadline, adopt };
    for (const [name, bytes] of Object.entries(sent)) {
      expect(bytes.length).toBe(header[`size ${name}`]);
      expect(bytes.readUInt32LE(0)).toBe(header[`type ${name}`]);
    }
    expect([wait, deadline].map((bytes) => bytes.readUInt32LE(4))).toEqual([3, 4]);
    expect(wait.readUInt32LE(header["at wait.ms"])).toBe(10_000);
    expect(wait.subarray(header["at wait.secret"], header["at wait.secret"]! + 32)).toEqual(secret);
    expect(deadline.readBigUInt64LE(header["at deadline.id"])).toBe(2n ** 40n);
    expect(deadline.readBigUInt64LE(header["at deadline.at_ns"])).toBe(2n ** 33n * 1_000_000n + 500_000n);
    expect(adopt.readUInt32LE(header["at adopt.version"])).toBe(9);
    expect(adopt.readUInt32LE(header["at adopt.dismiss"])).toBe(1);
    expect(adopt.subarray(header["at adopt.secret"], header["at adopt.secret"]! + 32)).toEqual(secret);
  });

  it("are decoded from where adoption_protocol.h has each field of ADOPTED and HELD", () => {
    const adopted = Buffer.alloc(header["size adopted"]!);
    adopted.writeUInt32LE(header["type adopted"]!, 0);
    adopted.writeBigUInt64LE(2n ** 40n, header["at adopted.highest"]);
    adopted.writeUInt32LE(5, header["at adopted.count"]);
    adopted.writeUInt32LE(77, header["at adopted.serial"]);
    adopted.writeUInt32LE(1, header["at adopted.suspended"]);
    const held = Buffer.alloc(header["size held"]!);
    held.writeUInt32LE(header["type held"]!, 0);
    held.writeBigUInt64LE(2n ** 41n, header["at held.id"]);
    held.writeBigUInt64LE(1_500_000n, header["at held.deadline_ns"]);
    held.writeInt32LE(109, header["at held.error"]);
    held.writeUInt32LE(1, header["at held.revoking"]);

    expect(adoption.decodeAdoption(adopted)).toEqual({
      ...{ type: "adopted", highest: 2 ** 40, count: 5, serial: 77, isSuspended: true },
    });
    expect(adoption.decodeAdoption(held)).toEqual({
      ...{ type: "held", id: 2 ** 41, deadlineMs: 1.5, error: 109, isRevoking: true },
    });
    held.writeBigUInt64LE(0n, header["at held.deadline_ns"]);
    expect(adoption.decodeAdoption(held)).toMatchObject({ deadlineMs: null });
    expect(adoption.decodeAdoption(protocol.encodeSuspend(1, true))).toBeUndefined();
  });

  it("are refused where they are too short or of no known type", () => {
    expect(() => protocol.decode(new Uint8Array(2))).toThrow(RangeError);
    expect(() => protocol.decode(Uint8Array.of(protocol.TYPES.revoked, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0))).toThrow(
      RangeError,
    );
    expect(() => protocol.decode(Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0))).toThrow("unknown type 99");
  });
});
