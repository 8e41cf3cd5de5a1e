// Programs whose cases need no agent, and what the Makefile makes.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ERROR_CODES } from "@lendbuf/shared/errors";
import { describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "../../../apps/agent/test/harness.ts";
import { FOLDER, made, sanitized } from "./built.ts";

const plain = made("plain", ["all"]);
/** ThreadSanitizer finds no room for its shadow where the kernel spreads mappings over more bits than it expects. */
const UNSPREAD = ["setarch", "-R"];

function casesOf(program: string, ...args: string[]) {
  // Its handler would come before the ones whose order is tried.
  const env = { ...process.env, ASAN_OPTIONS: "handle_sigbus=0" };
  const { stdout, stderr, status } = spawnSync(sanitized(program), args, { encoding: "utf8", env });
  const lines = stdout.split("\n").filter(Boolean);
  const cases = lines.map((line) => /^(?<ok>ok|not ok) (?<name>[^:]*)/.exec(line)!.groups!);
  return { cases: cases.map(({ ok, name }, i) => ({ name: name!, ok: ok === "ok", line: lines[i] })), stderr, status };
}

describe.each([
  { what: "guarded access", ...casesOf("guard", `${plain}/liblendbuf.so`) },
  { what: "an agent that sends what it should not:", ...casesOf("hostile") },
])("$what", ({ cases, stderr, status }) => {
  it.each(cases)("$name", ({ ok, line }) => {
    expect(ok, line).toBe(true);
  });

  it("has cases, ends well, and the sanitizers have nothing to report", () => {
    expect(cases.length).toBeGreaterThan(10);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });
});

describe("the JSON reader", () => {
  const reader = sanitized("reader");
  const ask = (command: string, lines: string[]) =>
    execFileSync(reader, [command], { input: `${lines.join("\n")}\n`, encoding: "utf8" }).trimEnd().split("\n");

  it("takes the objects that JSON.parse takes, of many that are nearly right", () => {
    const texts = mutants(readFileSync(join(FOLDER, "../../docs/protocol.md"), "utf8"), 20_000);

    const answers = ask("valid", texts);

    const expected = texts.map((text) => (isObject(text) ? "yes" : "no"));
    const wrong = texts.filter((_, i) => answers[i] !== expected[i]);
    expect(wrong).toEqual([]);
    for (const kind of ["yes", "no"]) expect(answers.filter((answer) => answer === kind).length).toBeGreaterThan(1000);
  });

  it("has an errno of its own for each code of the agent's", () => {
    const names = ask("errno", [...ERROR_CODES, "NEW"]);

    expect(names.filter((name) => name === "EREMOTEIO")).toHaveLength(2); // INTERNAL, and what is not known
    expect(names).not.toContain("");
  });
});

/** The packets that the document shows, and texts that differ from them in a few characters. The same in each run. */
function mutants(document: string, count: number): string[] {
  const packets = document.split("\n").flatMap((line) => /^[→←] (\{.*\})$/.exec(line)?.[1] ?? []);
  const seeds = [...packets, '{"a":[0,-1.5e+3,"\\u00e9\\n",true,null,{}],"b":{"c":[]}}', "{}", ' { "x" : 1 } '];
  const pieces = ["{", "}", "[", "]", '"', "\\", ",", ":", "0", "1", "-", ".", "e", "+", "u", "t", "null", " ", "\t", "\u0001"];
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  return Array.from({ length: count }, () => {
    let text = seeds[random(seeds.length)]!;
    for (let changes = random(3); changes > 0; changes--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + (random(3) === 0 ? "" : pieces[random(pieces.length)]) + text.slice(at + random(3));
    }
    return text;
  });
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

describe("what make installs", () => {
  const root = mkdtempSync(join(tmpdir(), "lendbuf-c-"));
  made("plain", ["install"], `PREFIX=${root}`);
  const hasPkgConfig = spawnSync("pkg-config", ["--version"]).status === 0;
  const advice = hasPkgConfig ? "" : " (skipped: apt-get install pkg-config)";
  const flags = (...what: string[]) =>
    execFileSync("pkg-config", [...what, "lendbuf"], {
      env: { ...process.env, PKG_CONFIG_PATH: `${root}/lib/pkgconfig` },
      encoding: "utf8",
    })
      .trim()
      .split(/\s+/);
  const strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

  async function runReader(program: string, agent: AgentProcess) {
    const env = { ...process.env, LENDBUF_SOCKET: agent.socket, LD_LIBRARY_PATH: `${root}/lib` };
    return execFileSync(program, { env, encoding: "utf8" }).trim();
  }

  it("exports its functions and nothing else, under a name of its own", () => {
    const library = `${root}/lib/liblendbuf.so`;
    const listing = execFileSync("nm", ["-D", "--defined-only", library], { encoding: "utf8" });
    const header = readFileSync(`${root}/include/lendbuf.h`, "utf8");
    const declared = [...header.matchAll(/^LENDBUF_API .*?\b(lendbuf_\w+)\(/gm)].map(([, name]) => name);

    const exported = listing.split("\n").flatMap((line) => line.split(" ")[2] ?? []);

    expect(exported.sort()).toEqual(declared.sort());
    expect(execFileSync("readelf", ["-d", library], { encoding: "utf8" })).toContain("[liblendbuf.so.0]");
  });

  it("has the version of the whole", () => {
    const { version } = JSON.parse(readFileSync(join(FOLDER, "../../package.json"), "utf8"));

    expect(readFileSync(`${root}/lib/pkgconfig/lendbuf.pc`, "utf8")).toContain(`Version: ${version}\n`);
  });

  it.skipIf(!hasPkgConfig)(`compiles and runs an example, shared and static${advice}`, async () => {
    await using agent = await startAgent();
    const source = join(FOLDER, "examples/read_register.c");
    const [shared, fixed] = [join(root, "shared"), join(root, "static")];
    execFileSync("cc", ["-std=c11", ...strict, source, "-o", shared, ...flags("--cflags", "--libs")]);
    const libraries = flags("--static", "--libs").map((flag) => flag.replace("-llendbuf", "-l:liblendbuf.a"));
    execFileSync("cc", ["-std=c11", ...strict, source, "-o", fixed, ...flags("--cflags"), ...libraries]);

    expect(await runReader(shared, agent)).toBe("0x444e454c");
    expect(await runReader(fixed, agent)).toBe("0x444e454c");
  }, 60_000);

  it("is used from C++", async () => {
    await using agent = await startAgent();
    const program = join(root, "use");
    const source = join(FOLDER, "test/use.cc");
    const paths = [`-I${root}/include`, `-L${root}/lib`, "-llendbuf"];
    execFileSync("c++", ["-std=c++17", ...strict, source, "-o", program, ...paths]);

    expect(await runReader(program, agent)).toBe("0x444e454c 0x444e454c EFAULT");
  }, 60_000);

  it.skipIf(!hasClang())(`compiles with clang too${hasClang() ? "" : " (skipped: apt-get install clang)"}`, () => {
    const common = ["-std=c11", ...strict, "-Wshadow", "-fsyntax-only", `-I${FOLDER}`];

    for (const file of ["lendbuf.c", "examples/read_register.c", "examples/import_drm.c"])
      execFileSync("clang", [...common, join(FOLDER, file)]);
  });

  it("goes away with make uninstall", () => {
    made("plain", ["uninstall"], `PREFIX=${root}`);

    expect(existsSync(`${root}/include/lendbuf.h`)).toBe(false);
    expect(existsSync(`${root}/lib/liblendbuf.so.0`)).toBe(false);
  });
});

function hasClang(): boolean {
  return spawnSync("clang", ["--version"]).status === 0;
}

describe("the examples for importing devices", () => {
  const compiles = (name: string, ...libraries: string[]) => {
    const output = join(mkdtempSync(join(tmpdir(), "lendbuf-c-")), name);
    const source = join(FOLDER, `examples/${name}.c`);
    const options = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", `-I${FOLDER}`, "-o", output];
    execFileSync("cc", [...options, source, `${plain}/liblendbuf.a`, "-pthread", ...libraries]);
  };
  const probe = join(mkdtempSync(join(tmpdir(), "lendbuf-c-")), "probe.c");
  writeFileSync(probe, "#include <infiniband/verbs.h>\n");
  const hasVerbs = spawnSync("cc", ["-fsyntax-only", probe]).status === 0;

  it("DRM's compiles", () => compiles("import_drm"));

  it.skipIf(!hasVerbs)(`RDMA's compiles${hasVerbs ? "" : " (skipped: apt-get install libibverbs-dev)"}`, () =>
    compiles("import_rdma", "-libverbs"),
  );
});

describe("many threads on one connection", () => {
  it("each get their own answers, and ThreadSanitizer has nothing to report", async () => {
    await using agent = await startAgent();
    const program = `${made("threads", ["build/threads/threads"])}/threads`;
    const buffers = ["ch0", "ch1", "ch2", "ch3", "ddr", "regs"].map((name) => `sim0/${name}`);

    const run = spawnSync(UNSPREAD[0]!, [...UNSPREAD.slice(1), program, agent.socket, ...buffers], {
      encoding: "utf8",
      timeout: 60_000,
    });

    expect(run).toMatchObject({ stderr: "", stdout: "120 ends\n", status: 0 });
  }, 60_000);
});
