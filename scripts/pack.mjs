// npm run pack: the packages that npm installs elsewhere, from what is built. Our internal packages are inside of each.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bootstrap, orExplain } from "./bootstrap.mjs";
import { thirdPartyLicences } from "./licences.mjs";
import { modulesOf } from "./modules.mjs";
import { MissingRequirement } from "./requirements.mjs";
import { ROOT } from "./step.mjs";

const NATIVE = "packages/native";
const TYPED = ["client", "native", "shared"];

/** Laid out as in a checkout, which is how the parts find each other. */
const PACKAGES = [
  {
    workspace: "apps/cli",
    readme: "lendbuf.md",
    entry: "apps/cli/dist/main.js",
    files: ["apps/cli/bin/lendbuf.js", "apps/cli/dist/lendbuf.1"],
    natives: ["lendbuf.node"],
    manifest: { bin: { lendbuf: "apps/cli/bin/lendbuf.js" }, man: "apps/cli/dist/lendbuf.1" },
  },
  {
    workspace: "apps/agent",
    readme: "agent.md",
    entry: "apps/agent/dist/main.js",
    files: ["apps/agent/bin/lendbuf-agent.js", "apps/web/dist"],
    natives: ["lendbuf.node", "lendbuf-warden", "lendbuf-holders", "lendbuf-hook"],
    unbundled: ["libsql", "@node-rs/argon2"],
    manifest: { bin: { "lendbuf-agent": "apps/agent/bin/lendbuf-agent.js" } },
  },
  {
    workspace: "packages/client",
    readme: "client.md",
    files: [],
    natives: ["lendbuf.node"],
    unbundled: ["zod"], // its types are in ours
    finish: addLibrary,
    manifest: {
      exports: {
        "./*": { types: "./types/client/src/*.d.ts", default: "./packages/client/dist/*.js" },
        "./shared/*": { types: "./types/shared/src/*.d.ts" },
      },
    },
  },
];

/** Writes the tarballs into the folder, and answers their paths. Needs what `npm run build` makes. */
export async function packAll(folder) {
  mkdirSync(folder, { recursive: true });
  const made = [];
  for (const each of PACKAGES) made.push(await pack(each, folder));
  return made;
}

async function pack({ workspace, readme, entry, files, natives, unbundled = [], finish, manifest }, folder) {
  const tree = mkdtempSync(join(tmpdir(), "lendbuf-pack-"));
  try {
    for (const file of [...files, ...(entry ? modulesOf(entry) : [])]) copy(file, tree);
    addNative(tree, natives);
    await finish?.(tree);
    for (const program of Object.values(manifest.bin ?? {})) chmodSync(join(tree, program), 0o755);
    copyAs("LICENSE", tree, "LICENSE");
    copyAs(join("packaging/npm", readme), tree, "README.md");
    writeFileSync(
      join(tree, "THIRD-PARTY-LICENCES"),
      thirdPartyLicences(workspace === "apps/agent" ? [workspace, "apps/web"] : [workspace]),
    );
    writeFileSync(
      join(tree, "package.json"),
      `${JSON.stringify({ ...manifestOf(workspace, natives, unbundled), ...manifest }, null, 2)}\n`,
    );
    const options = { cwd: tree, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
    const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], options));
    return join(folder, basename(filename.replace("/", "-").replace("@", "")));
  } finally {
    rmSync(tree, { recursive: true });
  }
}

function manifestOf(workspace, natives, unbundled) {
  const { name, version, license } = readJson(`${workspace}/package.json`);
  const versions = Object.assign(
    {},
    ...["apps/agent", "packages/shared", NATIVE].map((place) => readJson(`${place}/package.json`).dependencies),
  );
  const needed = ["node-addon-api", ...unbundled].map((dependency) => [dependency, versions[dependency]]);
  return {
    name,
    version,
    license,
    type: "module",
    engines: readJson("package.json").engines,
    os: ["linux"],
    scripts: {
      install: `node ${NATIVE}/scripts/install.mjs ${natives.map((file) => basename(file, ".node")).join(" ")}`,
    },
    dependencies: Object.fromEntries(needed),
  };
}

/** What was built here, and the sources of it for where that does not run. */
function addNative(tree, natives) {
  for (const part of [
    "binding.gyp",
    "scripts/sources.mjs",
    "scripts/install.mjs",
    "src/addon",
    "src/common",
    "src/holders",
    "src/hook",
    "src/warden",
  ])
    copy(`${NATIVE}/${part}`, tree);
  if (process.arch !== "x64") return;
  for (const program of natives) {
    copy(`${NATIVE}/build/Release/${program}`, tree);
    execFileSync("strip", ["--strip-unneeded", join(tree, NATIVE, "build/Release", program)]);
  }
}

/** The client as modules that share their classes, and the types of all that they speak of. */
async function addLibrary(tree) {
  const { build, stop } = await import("esbuild");
  await build({
    entryPoints: sourcesOf("client"),
    outdir: join(tree, "packages/client/dist"),
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
  });
  await stop();
  addTypes(join(tree, "types"));
}

/** All files are named: the compiler writes no types of what it finds through node_modules. */
function addTypes(types) {
  const options = {
    declaration: true,
    emitDeclarationOnly: true,
    noEmit: false,
    rootDir: join(ROOT, "packages"),
    outDir: types,
  };
  const settings = {
    extends: join(ROOT, "tsconfig.base.json"),
    compilerOptions: options,
    files: TYPED.flatMap(sourcesOf),
  };
  const project = join(ROOT, "node_modules/.cache", `pack-types-${process.pid}.json`);
  mkdirSync(dirname(project), { recursive: true });
  writeFileSync(project, JSON.stringify(settings));
  try {
    execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", project], { cwd: ROOT, stdio: "inherit" });
  } finally {
    rmSync(project);
  }
  const made = readdirSync(types, { recursive: true }).filter((name) => name.endsWith(".d.ts"));
  for (const file of made) rewriteImports(types, join(types, file));
}

function sourcesOf(name) {
  const folder = join(ROOT, "packages", name, "src");
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  return files.map((file) => join(folder, file));
}

/** Those of our internal packages, which are nowhere to be had by their names, and of sources, which are not here. */
function rewriteImports(types, file) {
  const text = readFileSync(file, "utf8")
    .replaceAll(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, '"$2.js"')
    .replaceAll(new RegExp(`(["'])@lendbuf/(${TYPED.join("|")})/([^"']+)\\1`, "g"), (_, __, name, module) => {
      const path = relative(dirname(file), join(types, name, "src", `${module}.js`));
      return `"${path.startsWith(".") ? path : `./${path}`}"`;
    });
  writeFileSync(file, text);
}

function copy(place, tree) {
  copyAs(place, tree, place);
}

function copyAs(from, tree, to) {
  if (!existsSync(join(ROOT, from))) throw new MissingRequirement(`${from} is missing. Run: npm run build`);
  cpSync(join(ROOT, from), join(tree, to), { recursive: true });
}

function readJson(place) {
  return JSON.parse(readFileSync(join(ROOT, place), "utf8"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(ROOT, "dist"));
  const made = await orExplain(async () => {
    await bootstrap();
    return packAll(folder);
  });
  for (const file of made) console.log(file);
}
