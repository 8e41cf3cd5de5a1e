import type { HostFiles } from "./host-files.ts";

export type ModuleState = "loaded" | "built in" | "not loaded" | "missing";

/** Of a module by its name with underscores. */
export function moduleState(files: HostFiles, name: string): ModuleState {
  if (files.exists(`/sys/module/${name}/initstate`)) return "loaded";
  const folder = `/lib/modules/${files.read("/proc/sys/kernel/osrelease")}`;
  const file = new RegExp(`/${name.replaceAll("_", "[-_]")}\\.ko\\b`);
  // One that is built in shows in /sys/module only where it has parameters.
  if (files.exists(`/sys/module/${name}`) || file.test(files.read(`${folder}/modules.builtin`) ?? ""))
    return "built in";
  return file.test(files.read(`${folder}/modules.dep`) ?? "") ? "not loaded" : "missing";
}
