import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
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
      protocol.encodeExport({ serial: 7, id: 2 ** 53 - 1, region: 2, ranges, readOnly: true, scrubZero: true }),
    );

    expect(bytes.length).toBe(header["size export"]! + 2 * header["size range"]!);
    expect(bytes.readUInt32LE(header["at header.serial"])).toBe(7);
    expect(bytes.readBigUInt64LE(header["at export.id"])).toBe(2n ** 53n - 1n);
    expect(bytes.readUInt32LE(header["at export.region"])).toBe(2);
    expect(bytes.readUInt32LE(header["at export.flags"])).toBe(3);
    expect(bytes.readUInt32LE(header["at export.range_count"])).toBe(2);
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

  it("are decoded from where protocol.h has each field of ACCESSED", () => {
    const fixed = Buffer.alloc(header["size accessed"]!);
    fixed.writeUInt32LE(header["type accessed"]!, 0);
    fixed.writeUInt32LE(3, 4);
    fixed.writeBigUInt64LE(2n ** 63n, header["at accessed.value"]);
    fixed.writeInt32LE(16, header["at accessed.error"]);

    expect(protocol.decode(Buffer.concat([fixed, Buffer.from("busy")]))).toEqual({
      ...{ type: "accessed", serial: 3, error: 16, value: 2n ** 63n, words: "busy" },
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
    bytes.writeInt32LE(-1, entry + header["at revokedEntry.probe_size"]!);

    expect(protocol.decode(bytes)).toEqual({
      type: "revoked",
      serial: 3,
      entries: [{ id: 2 ** 40, durationUs: 1.5, method: "ftruncate", error: 16, safe: true, probe: -1 }],
    });
  });

  it("are decoded from where protocol.h has each field of READY", () => {
    const words = ["works", "does not, naïvely", "all in all"].map((text) => Buffer.from(text));
    const fixed = Buffer.alloc(header["size ready"]! + header["size region"]! + 2 * header["size rung"]!);
    const put = (start: number, fields: Record<string, number>) => {
      for (const [name, value] of Object.entries(fields)) fixed.writeUInt32LE(value, start + header[`at ${name}`]!);
    };
    fixed.writeUInt32LE(header["type ready"]!, 0);
    put(0, { "ready.version": 9, "ready.region_count": 1, "ready.rung_count": 2, "ready.works": 1 });
    put(0, { "ready.method": 4, "ready.scope": 2, "ready.kind": 2, "ready.access": 1, "ready.mappable": 1 });
    const region = header["size ready"]!;
    put(region, { "region.index": 3, "region.flags": 5, "region.unlendable": 3 });
    fixed.writeBigUInt64LE(2n ** 40n, region + header["at region.size"]!);
    fixed.writeBigUInt64LE(0x2000n, region + header["at region.withheld"]!);
    fixed.writeBigUInt64LE(0x1000n, region + header["at region.withheld"]! + 8);
    const rung = region + header["size region"]!;
    put(rung, { "rung.method": 4, "rung.scope": 2, "rung.works": 1, "rung.words_size": words[0]!.length });
    put(rung + header["size rung"]!, {
      ...{ "rung.method": 1, "rung.scope": 1, "rung.error": 25, "rung.words_size": words[1]!.length },
    });

    expect(protocol.decode(Buffer.concat([fixed, ...words]))).toEqual({
      ...{ type: "ready", version: 9, works: true, method: "device-close", scope: "device" },
      ...{ kind: "vfio", access: "cdev", mappable: true, words: "all in all" },
      regions: [
        {
          ...{ index: 3, size: 2 ** 40, readable: true, writable: false, mappable: true },
          ...{ unlendable: "msix-table", withheld: { offset: 0x2000, length: 0x1000 } },
        },
      ],
      rungs: [
        { method: "device-close", scope: "device", works: true, error: 0, words: "works" },
        { method: "dma-buf-revoke", scope: "buffer", works: false, error: 25, words: "does not, naïvely" },
      ],
    });
  });

  it("are refused where they are too short or of no known type", () => {
    expect(() => protocol.decode(new Uint8Array(2))).toThrow(RangeError);
    expect(() => protocol.decode(Uint8Array.of(protocol.TYPES.revoked, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0))).toThrow(
      RangeError,
    );
    expect(() => protocol.decode(Uint8Array.of(99, 0, 0, 0, 0, 0, 0, 0))).toThrow("unknown type 99");
  });
});
