// The licences of what others wrote and what our bundles have in them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./step.mjs";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.\w+)?$/i;
// Needed for building alone, though Next counts them among what it runs on.
const NOT_SHIPPED =
  /^node_modules\/(@swc\/helpers|baseline-browser-mapping|caniuse-lite|postcss|sharp|@img\/.*|@next\/swc-.*)$/;

/** One text: each package that the workspaces (folders) run on, with its licence in full. */
export function thirdPartyLicences(workspaces) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const places = [...placesOf(packages, workspaces)].filter((place) => !NOT_SHIPPED.test(place)).sort();
  return places.map((place) => entry(place, packages[place])).join(`\n${"-".repeat(78)}\n\n`);
}

/** Where the lock file has all that a workspace needs while it runs; our own packages are gone through, and left out. */
function placesOf(packages, workspaces) {
  const seen = new Set();
  const visit = (from) => {
    for (const name of Object.keys(packages[from].dependencies ?? {})) {
      const place = find(packages, from, name);
      if (seen.has(place)) continue;
      seen.add(place);
      visit(packages[place].link ? packages[place].resolved : place);
    }
  };
  workspaces.forEach(visit);
  return [...seen].filter((place) => !packages[place].link);
}

/** As Node looks for a package: in the folder itself, then in each one above. */
function find(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf("/"), 0))) {
    const place = join(folder, "node_modules", name);
    if (packages[place]) return place;
    if (folder === "") throw new Error(`package-lock.json lacks ${name}, which ${from} needs. Run: npm install`);
  }
}

function entry(place, { version, license }) {
  const folder = join(ROOT, place);
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => LICENCE_FILE.test(file)) : [];
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trimEnd());
  return [`${place.split("node_modules/").at(-1)} ${version} (${license})`, ...texts].join("\n\n").concat("\n");
}
