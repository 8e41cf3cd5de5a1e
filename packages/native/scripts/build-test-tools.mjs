// build-test-tools.mjs FOLDER: builds the programs that the warden's cases use where there is no compiler, such as in the lab machine.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { sourcesOf } from "./sources.mjs";

const root = resolve(import.meta.dirname, "..");
const folder = resolve(process.argv[2]);

function compile(program, ...sources) {
  const flags = ["-std=gnu++20", "-O1", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-pthread"];
  const args = [...flags, "-Isrc/common", "-Isrc/warden", "-o", join(folder, program), ...sources];
  const { status } = spawnSync(process.env.CXX || "g++", args, { stdio: "inherit", cwd: root });
  if (status !== 0) process.exit(status ?? 1);
}

const vfio = sourcesOf("warden").filter((source) => /\/(vfio_\w+|pci|revoke_method)\.cc$/.test(source));
compile("warden-holder", "test/warden-holder.cc", "src/common/guard.cc", "src/common/packet.cc");
compile("vfio-parts", "test/machine/vfio-parts.cc", ...vfio, ...sourcesOf("common"));
