// Who may import whom. Types count like values, for directions and for cycles: a module that needs another's types cannot be read without it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const AGENT_BASE = ["agent clock", "agent base", "config", "shared"];
const AGENT_CORE = ["agent buffers", "agent devices", "agent store", "agent wardens", ...AGENT_BASE];
const AGENT_DOMAIN = [
  "agent parts",
  "agent accounts",
  "agent policy",
  "agent delegations",
  "agent revocation",
  "agent reservations",
  "agent between",
  "agent holders",
  ...AGENT_CORE,
];
const AGENT_ALL = [
  "agent root",
  "agent configuration",
  "agent lock",
  "agent api",
  "agent http",
  "agent broker",
  "agent monitoring",
  ...AGENT_DOMAIN,
];

/**
 * A file belongs to the first area that matches its path. It may import its own area, the areas that `may` names, and what its workspace's
 * package.json declares; where `packages` stands, of those only these ("node": Node's own modules).
 */
const AREAS = [
  {
    area: "builds",
    files: /^(apps|packages|examples)\/[^/]+\/(build\.mjs|scripts\/.*|bin\/.*)$/,
    may: ["root scripts"],
  },
  { area: "tests of shared", files: /^packages\/shared\/.*\.test\.ts$/, may: ["shared"] },
  { area: "tests of host", files: /^packages\/host\/(test\/|.*\.test\.ts$)/, may: ["host", "shared"] },
  { area: "shared", files: /^packages\/shared\//, may: [], packages: ["zod"] },
  { area: "host", files: /^packages\/host\//, may: ["shared"], packages: ["node"] },
  { area: "tests of config", files: /^packages\/config\/(test\/|.*\.test\.ts$)/, may: ["config", "shared"] },
  { area: "config", files: /^packages\/config\//, may: ["shared"], packages: ["node", "smol-toml", "zod"] },
  { area: "native", files: /^packages\/native\//, may: [] },
  // Against a real agent.
  {
    area: "tests of client",
    files: /^packages\/client\/test\//,
    may: ["agent tests", "client", "shared", "native"],
  },
  { area: "client", files: /^packages\/client\//, may: ["shared", "native"] },
  // Of the agent only the router's type.
  { area: "web", files: /^apps\/web\//, may: ["shared", "agent api", "agent tests", "root scripts"] },
  { area: "cli", files: /^apps\/cli\//, may: ["client", "config", "host", "shared", "native"] },
  // In other languages: only their tests are ours.
  {
    area: "tests of clients",
    files: /^clients\/[^/]+\/test\//,
    may: ["agent tests", "contract", "client", "shared", "native", "root scripts"],
  },
  // Played by tests and in the lab machine.
  { area: "contract", files: /^clients\/contract\//, may: ["client", "shared", "root scripts"] },
  { area: "examples", files: /^examples\//, may: ["client", "shared", "native"] },
  // The agent's store: its rows are timed alone, and books of a hundred thousand are written with it. Its tests measure the heap too.
  {
    area: "bench",
    files: /^bench\//,
    may: ["client", "shared", "native", "agent store", "agent tests", "lab", "root scripts"],
  },
  { area: "lab", files: /^lab\//, may: ["contract", "client", "host", "shared", "native", "root scripts"] },
  {
    area: "agent tests",
    files: /^apps\/agent\/(test\/|.*\.test\.ts$)/,
    may: [...AGENT_ALL, "client", "native"],
  },
  { area: "agent root", files: /^apps\/agent\/src\/(main|agent|signals)\.ts$/, may: [...AGENT_ALL, "native"] },
  // core.ts and context.ts: the types of all parts and of a call, for those above buffers and devices.
  { area: "agent parts", files: /^apps\/agent\/src\/(core|context)\.ts$/, may: AGENT_DOMAIN },
  { area: "agent api", files: /^apps\/agent\/src\/api\//, may: ["host", "agent configuration", ...AGENT_DOMAIN] },
  { area: "agent configuration", files: /^apps\/agent\/src\/configuration\//, may: AGENT_DOMAIN },
  { area: "agent monitoring", files: /^apps\/agent\/src\/monitoring\//, may: [...AGENT_DOMAIN, "native"] },
  { area: "agent http", files: /^apps\/agent\/src\/http\//, may: ["agent api", "agent monitoring", ...AGENT_DOMAIN] },
  { area: "agent accounts", files: /^apps\/agent\/src\/accounts\//, may: ["agent parts", ...AGENT_CORE] },
  { area: "agent policy", files: /^apps\/agent\/src\/policy\//, may: AGENT_DOMAIN },
  { area: "agent broker", files: /^apps\/agent\/src\/broker\//, may: [...AGENT_DOMAIN, "native"] },
  { area: "agent revocation", files: /^apps\/agent\/src\/revocation\//, may: AGENT_DOMAIN },
  { area: "agent reservations", files: /^apps\/agent\/src\/reservations\//, may: AGENT_DOMAIN },
  // It runs operators' programs.
  { area: "agent between", files: /^apps\/agent\/src\/between\//, may: [...AGENT_DOMAIN, "native"] },
  // It runs the program that looks at /proc.
  { area: "agent holders", files: /^apps\/agent\/src\/holders\//, may: [...AGENT_DOMAIN, "native"] },
  { area: "agent delegations", files: /^apps\/agent\/src\/delegations\//, may: AGENT_DOMAIN },
  { area: "agent buffers", files: /^apps\/agent\/src\/buffers\//, may: AGENT_CORE },
  { area: "agent devices", files: /^apps\/agent\/src\/devices\//, may: ["host", ...AGENT_CORE] },
  { area: "agent store", files: /^apps\/agent\/src\/store\//, may: AGENT_CORE },
  { area: "agent wardens", files: /^apps\/agent\/src\/wardens\//, may: [...AGENT_CORE, "native"] },
  { area: "agent clock", files: /^apps\/agent\/src\/clock\//, may: ["agent base", "shared", "native"] },
  { area: "agent lock", files: /^apps\/agent\/src\/lock\.ts$/, may: [...AGENT_BASE, "native"] },
  { area: "agent base", files: /^apps\/agent\/src\/log\.ts$/, may: ["shared"] },
];

const FOLDERS = ["apps", "packages", "clients", "examples", "bench", "lab"];
const SKIPPED_FOLDERS = new Set(["node_modules", "dist", "build", "out", ".next", ".turbo"]);
const SOURCE = /\.(ts|tsx|mts|mjs|js)$/;

// Statements begin their line, as the formatter has them.
const IMPORTS = [
  /^(?:import|export)\b[^;'"`=]*?\bfrom\s+"(?<specifier>[^"]+)"/gm,
  /^import\s+"(?<specifier>[^"]+)"/gm,
  /^(?!\s*(?:\/\/|\/?\*)).*?\bimport\(\s*"(?<specifier>[^"]+)"/gm,
];

/** Each problem is a line for people: where, which rule, what to do. */
export function checkImports(root) {
  const workspaces = readWorkspaces(root);
  const files = FOLDERS.flatMap((folder) => sources(root, folder)).sort();
  const edges = files.flatMap((file) => importsOf(root, file, workspaces));
  return [
    ...files.filter((file) => !areaOf(file)).map(describeHomeless),
    ...edges.map((edge) => describeWrongDirection(edge)).filter(Boolean),
    ...findCycles(edges).map(describeCycle),
  ];
}

function readWorkspaces(root) {
  const folders = FOLDERS.flatMap((folder) => [folder, ...subfolders(root, folder)]);
  return folders
    .filter((folder) => existsSync(join(root, folder, "package.json")))
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
      const { dependencies, devDependencies, peerDependencies } = manifest;
      return {
        folder,
        name: manifest.name,
        declared: Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }),
      };
    });
}

function subfolders(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name))
    .map((entry) => `${folder}/${entry.name}`);
}

function sources(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  const own = readdirSync(join(root, folder), { withFileTypes: true }).filter(
    (entry) => entry.isFile() && SOURCE.test(entry.name),
  );
  return [
    ...own.map((entry) => `${folder}/${entry.name}`),
    ...subfolders(root, folder).flatMap((sub) => sources(root, sub)),
  ];
}

/** `to` is a file of ours where the specifier leads to one, else `bare` is a package's name. */
function importsOf(root, file, workspaces) {
  const text = readFileSync(join(root, file), "utf8");
  const workspace = workspaces.find(({ folder }) => file.startsWith(`${folder}/`));
  return IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)]).map((match) => {
    const { specifier } = match.groups;
    const line = text.slice(0, match.index + match[0].length).split("\n").length;
    return { from: file, line, specifier, workspace, ...target(file, specifier, workspaces) };
  });
}

function target(file, specifier, workspaces) {
  if (specifier.startsWith(".")) return { to: join(dirname(file), specifier) };
  if (specifier.startsWith("node:") || builtinModules.includes(specifier)) return { bare: "node" };
  const bare = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const ours = workspaces.find(({ name }) => name === bare);
  // Our packages export "./*" as "./src/*.ts".
  return ours ? { to: `${ours.folder}/src${specifier.slice(bare.length)}.ts`, bare } : { bare };
}

function areaOf(file) {
  if (file.startsWith("scripts/")) return { area: "root scripts" };
  return AREAS.find(({ files }) => files.test(file));
}

function describeHomeless(file) {
  return `${file}:1: belongs to no area. Put it where files like it are, or give its folder a line in the table of scripts/check-imports.mjs.`;
}

function describeWrongDirection({ from, line, specifier, workspace, to, bare }) {
  const source = areaOf(from);
  if (!source) return undefined;
  const where = `${from}:${line}: "${specifier}"`;
  if (bare && bare !== "node" && workspace && !isDeclared(bare, workspace) && to === undefined) {
    return `${where}: ${workspace.folder}/package.json does not declare ${bare}. Add it there, with npm install.`;
  }
  if (to === undefined) {
    if (!source.packages || source.packages.includes(bare)) return undefined;
    return `${where}: ${source.area} imports ${source.packages.join(", ")} only. Move what needs ${bare} to who uses it.`;
  }
  const destination = areaOf(to);
  if (!destination || destination.area === source.area || source.may.includes(destination.area)) return undefined;
  const allowed = source.may.length > 0 ? source.may.join(", ") : "nothing of ours";
  return (
    `${where}: ${source.area} may not import ${destination.area} (it may import ${allowed}). ` +
    "Move the shared part down to where both may reach it, or pass it in from above."
  );
}

// What the root declares serves the builds and tests of all workspaces.
const ROOT_TOOLS = ["vitest", "fast-check", "esbuild"];

function isDeclared(bare, workspace) {
  return workspace.declared.includes(bare) || ROOT_TOOLS.includes(bare);
}

/** One cycle per knot: the edges from a file back to itself. */
function findCycles(edges) {
  const outgoing = new Map(edges.map(({ from }) => [from, []]));
  for (const edge of edges) outgoing.get(edge.from).push(edge);
  const done = new Set();
  const cycles = [];
  const visit = (file, path) => {
    for (const edge of outgoing.get(file) ?? []) {
      const start = path.findIndex(({ from }) => from === edge.to);
      if (start >= 0 || edge.to === file) cycles.push([...path.slice(start >= 0 ? start : path.length), edge]);
      else if (edge.to && !done.has(edge.to)) visit(edge.to, [...path, edge]);
    }
    done.add(file);
  };
  for (const file of outgoing.keys()) if (!done.has(file)) visit(file, []);
  return cycles;
}

function describeCycle(cycle) {
  const steps = cycle.map(({ from, line, to }) => `\n    ${from}:${line} imports ${to}`);
  return (
    `${cycle[0].from}:${cycle[0].line}: import cycle. Move what both need to a module of its own, or pass it as an argument.` +
    steps.join("")
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = checkImports(root);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
