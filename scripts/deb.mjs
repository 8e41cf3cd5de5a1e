// npm run deb: the Debian package, from what is built. The same sources make the same bytes (SOURCE_DATE_EPOCH, else the last commit's time).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bootstrap, orExplain } from "./bootstrap.mjs";
import { thirdPartyLicences } from "./licences.mjs";
import { agentPage } from "./man.mjs";
import { modulesOf } from "./modules.mjs";
import { MissingRequirement, requireTools } from "./requirements.mjs";
import { ROOT } from "./step.mjs";

const PARTS = join(ROOT, "packaging/deb");
const LIBRARY = "usr/lib/lendbuf";
const DOC = "usr/share/doc/lendbuf";
/** What an admin changes there, an update leaves alone. */
const CONFIG = "etc/lendbuf/agent.toml";
const ARCHITECTURES = { x64: "amd64", arm64: "arm64" };
// The GCC that brought each GLIBCXX_3.4.N, as Debian numbers libstdc++6.
const LIBSTDCXX = { 29: "11", 30: "12", 31: "13.1", 32: "13.2", 33: "14", 34: "15" };

/** Packages whose machine code is a package of its own for each system. */
const PREBUILT = {
  libsql: `@libsql/linux-${process.arch}-gnu`,
  "@node-rs/argon2": `@node-rs/argon2-linux-${process.arch}-gnu`,
};

/** Where each shell looks for how to complete a command. */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions/lendbuf",
  zsh: "usr/share/zsh/vendor-completions/_lendbuf",
  fish: "usr/share/fish/vendor_completions.d/lendbuf.fish",
};

/**
 * Writes lendbuf_VERSION_ARCHITECTURE.deb into the folder, and answers its path. Needs what `npm run build` makes. `level`: how hard xz tries,
 * which is most of the time that it takes.
 */
export async function buildDeb(folder, { level = 6 } = {}) {
  const { version } = readJson("apps/cli/package.json");
  const architecture = ARCHITECTURES[process.arch];
  if (!architecture)
    throw new MissingRequirement(`There is no Debian package for ${process.arch}: it is made for x64 and arm64.`);
  const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? lastCommit());
  const tree = mkdtempSync(join(tmpdir(), "lendbuf-deb-"));
  try {
    chmodSync(tree, 0o755);
    addPrograms(tree);
    addSystemFiles(tree);
    addCompletions(tree);
    await addDocumentation(tree, version, epoch);
    addControl(tree, { version, architecture });
    settle(tree, epoch);
    const file = join(folder, `lendbuf_${version}_${architecture}.deb`);
    mkdirSync(folder, { recursive: true });
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", `-z${level}`, "--build", tree, file], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    return file;
  } finally {
    rmSync(tree, { recursive: true });
  }
}

/** Laid out as in a checkout, which is how the parts find each other. */
function addPrograms(tree) {
  const library = join(tree, LIBRARY);
  for (const [app, program] of [
    ["agent", "lendbuf-agent"],
    ["cli", "lendbuf"],
  ]) {
    for (const file of [`apps/${app}/bin/${program}.js`, ...modulesOf(`apps/${app}/dist/main.js`)]) copy(file, library);
    writeFileSync(join(library, `apps/${app}/package.json`), `${JSON.stringify({ type: "module" })}\n`);
    mkdirSync(join(tree, "usr/bin"), { recursive: true });
    symlinkSync(`../lib/lendbuf/apps/${app}/bin/${program}.js`, join(tree, "usr/bin", program));
  }
  copy("apps/web/dist", library);
  for (const program of ["lendbuf.node", "lendbuf-warden", "lendbuf-holders", "lendbuf-hook"]) {
    copy(`packages/native/build/Release/${program}`, library);
    execFileSync("strip", ["--strip-unneeded", join(library, "packages/native/build/Release", program)]);
  }
  const require = createRequire(join(ROOT, "apps/agent/package.json"));
  for (const name of ["libsql", "@node-rs/argon2"]) addPackage(library, name, require);
}

/** A dependency that is not bundled, with what it needs; of its prebuilt parts that for Debian's libc. */
function addPackage(library, name, require) {
  const folder = packageFolder(require.resolve(name), name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const place = folder.slice(ROOT.length);
  copy(
    place,
    library,
    (path) => !/\.(d\.ts|md|map)$/.test(path) && !path.slice(join(ROOT, place).length).includes("/node_modules"),
  );
  const inner = createRequire(join(folder, "package.json"));
  for (const dependency of Object.keys(dependencies)) addPackage(library, dependency, inner);
  const prebuilt = PREBUILT[name];
  if (prebuilt) addPackage(library, prebuilt, inner);
}

function packageFolder(entry, name) {
  const mark = `/node_modules/${name}/`;
  return entry.slice(0, entry.lastIndexOf(mark) + mark.length - 1);
}

function addSystemFiles(tree) {
  for (const [part, place] of [
    ["lendbuf.service", "usr/lib/systemd/system/lendbuf.service"],
    ["71-lendbuf-group.rules", "usr/lib/udev/rules.d/71-lendbuf-group.rules"],
    ["sysusers.conf", "usr/lib/sysusers.d/lendbuf.conf"],
    ["tmpfiles.conf", "usr/lib/tmpfiles.d/lendbuf.conf"],
    ["copyright", `${DOC}/copyright`],
  ])
    copyAs(join(PARTS, part), join(tree, place));
  copyAs(join(ROOT, "packaging/agent.toml"), join(tree, CONFIG));
}

function addCompletions(tree) {
  const command = join(ROOT, "apps/cli/bin/lendbuf.js");
  for (const [shell, place] of Object.entries(COMPLETIONS))
    write(tree, place, execFileSync(process.execPath, [command, "completion", shell]));
}

async function addDocumentation(tree, version, epoch) {
  const date = new Date(epoch * 1000);
  const day = date.toISOString().slice(0, 10);
  write(tree, "usr/share/man/man1/lendbuf.1.gz", compress(readFileSync(join(ROOT, "apps/cli/dist/lendbuf.1"))));
  write(tree, "usr/share/man/man8/lendbuf-agent.8.gz", compress(await agentPage(version, day)));
  const rfc2822 = date.toUTCString().replace("GMT", "+0000");
  const entry = `lendbuf (${version}) unstable; urgency=medium\n\n  * This version.\n\n -- ${maintainer()}  ${rfc2822}\n`;
  write(tree, `${DOC}/changelog.gz`, compress(entry));
  write(tree, `${DOC}/third-party-licences`, thirdPartyLicences(["apps/agent", "apps/cli", "apps/web"]));
  copyAs(join(ROOT, "README.md"), join(tree, DOC, "README.md"));
  cpSync(join(ROOT, "docs"), join(tree, DOC, "docs"), { recursive: true });
  cpSync(join(ROOT, "packaging/monitoring"), join(tree, DOC, "monitoring"), { recursive: true });
}

function addControl(tree, { version, architecture }) {
  const files = filesIn(tree);
  const control = {
    Package: "lendbuf",
    Version: version,
    Architecture: architecture,
    Maintainer: maintainer(),
    "Installed-Size": Math.ceil(files.reduce((sum, file) => sum + lstatSync(join(tree, file)).size, 0) / 1024),
    Depends: ["nodejs (>= 20.19)", ...librariesOf(tree, files), "libgcc-s1"].join(", "),
    Recommends: "systemd | systemd-standalone-sysusers, udev",
    Section: "utils",
    Priority: "optional",
    Description:
      "lends device memory to programs, and takes it back\n" +
      " An agent owns VFIO PCI devices, exports ranges of their memory as dma-bufs,\n" +
      " delegates them to other processes for a limited time, and revokes them: when\n" +
      " the lease ends, when the client goes away, when an operator says so. With it\n" +
      " come a command, a dashboard, and a simulated device to try it on.",
  };
  const lines = Object.entries(control).map(([name, value]) => `${name}: ${value}\n`);
  write(tree, "DEBIAN/control", lines.join(""));
  const sums = files
    .filter((file) => file !== CONFIG && lstatSync(join(tree, file)).isFile())
    .map((file) => `${md5(join(tree, file))}  ${file}\n`);
  write(tree, "DEBIAN/md5sums", sums.join(""));
  write(tree, "DEBIAN/conffiles", `/${CONFIG}\n`);
  for (const script of ["postinst", "prerm", "postrm"]) copyAs(join(PARTS, script), join(tree, "DEBIAN", script));
}

/** The oldest C and C++ libraries that have what our programs ask of them. */
function librariesOf(tree, files) {
  const programs = files.filter((file) => /\/Release\/|\.node$/.test(file));
  const text = programs.map((file) => readFileSync(join(tree, file), "latin1")).join("");
  const newest = (pattern) => Math.max(...[...text.matchAll(pattern)].map(([, minor]) => Number(minor)));
  const libstdcxx = LIBSTDCXX[Math.max(newest(/GLIBCXX_3\.4\.(\d+)\0/g), 29)];
  if (!libstdcxx) throw new Error("This libstdc++ is newer than scripts/deb.mjs knows: add its number to LIBSTDCXX.");
  return [`libc6 (>= 2.${newest(/GLIBC_2\.(\d+)/g)})`, `libstdc++6 (>= ${libstdcxx})`];
}

/** Modes and times say nothing about the machine that built it. */
function settle(tree, epoch) {
  for (const name of ["", ...readdirSync(tree, { recursive: true })]) {
    const path = join(tree, name);
    const stat = lstatSync(path);
    const isProgram = /^DEBIAN\/p|\/bin\/[^/]+\.js$|\/Release\/lendbuf-/.test(name);
    if (!stat.isSymbolicLink()) chmodSync(path, stat.isDirectory() || isProgram ? 0o755 : 0o644);
    lutimesSync(path, epoch, epoch);
  }
}

function filesIn(tree) {
  const names = readdirSync(tree, { recursive: true });
  return names.filter((name) => !lstatSync(join(tree, name)).isDirectory()).sort();
}

function copy(place, to, filter = () => true) {
  const from = join(ROOT, place);
  if (!existsSync(from)) throw new MissingRequirement(`${place} is missing. Run: npm run build`);
  cpSync(from, join(to, place), { recursive: true, filter });
}

function copyAs(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function write(tree, place, content) {
  mkdirSync(dirname(join(tree, place)), { recursive: true });
  writeFileSync(join(tree, place), content);
}

function compress(text) {
  return gzipSync(text, { level: 9 });
}

function md5(path) {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}

/** By Debian's own variables. */
function maintainer() {
  const { DEBFULLNAME = "The Lendbuf authors", DEBEMAIL = "lendbuf@localhost" } = process.env;
  return `${DEBFULLNAME} <${DEBEMAIL}>`;
}

function lastCommit() {
  return execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim();
}

function readJson(place) {
  return JSON.parse(readFileSync(join(ROOT, place), "utf8"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(ROOT, "dist"));
  const file = await orExplain(async () => {
    requireTools([{ command: "dpkg-deb", package: "dpkg", why: "it makes the package" }]);
    await bootstrap();
    return buildDeb(folder);
  });
  console.log(file);
}
