// What the Makefile makes, as others use it.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "../../../apps/agent/test/harness.ts";
import { FOLDER, made } from "./built.ts";

const plain = made("plain", ["all"]);

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

  it.skipIf(!hasPkgConfig)(
    `compiles and runs an example, shared and static${advice}`,
    async () => {
      await using agent = await startAgent();
      const source = join(FOLDER, "examples/read_register.c");
      const [shared, fixed] = [join(root, "shared"), join(root, "static")];
      execFileSync("cc", ["-std=c11", ...strict, source, "-o", shared, ...flags("--cflags", "--libs")]);
      const libraries = flags("--static", "--libs").map((flag) => flag.replace("-llendbuf", "-l:liblendbuf.a"));
      execFileSync("cc", ["-std=c11", ...strict, source, "-o", fixed, ...flags("--cflags"), ...libraries]);

      expect(await runReader(shared, agent)).toBe("0x444e454c");
      expect(await runReader(fixed, agent)).toBe("0x444e454c");
    },
    60_000,
  );

  it("is used from C++", async () => {
    await using agent = await startAgent();
    const program = join(root, "use");
    const source = join(FOLDER, "test/use.cc");
    const paths = [`-I${root}/include`, `-L${root}/lib`, "-llendbuf"];
    execFileSync("c++", ["-std=c++17", ...strict, source, "-o", program, ...paths]);

    expect(await runReader(program, agent)).toBe("0x444e454c 0x444e454c EFAULT");
  });

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
