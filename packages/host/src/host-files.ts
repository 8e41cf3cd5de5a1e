import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";

/** A host's /sys, /proc, /dev and the like. What is not there, or must not be read, is undefined, null or empty: on no host all of it is. */
export class HostFiles {
  readonly root: string;

  /** `root`: where another host's tree lies, for tests. */
  constructor(root = "/") {
    this.root = realpathSync(root);
  }

  /** Without the white space around it. */
  read(path: string): string | undefined {
    return this.readBytes(path)?.toString("utf8").trim();
  }

  readBytes(path: string): Buffer | undefined {
    return orUndefined(() => readFileSync(join(this.root, path)));
  }

  list(path: string): string[] {
    return orUndefined(() => readdirSync(join(this.root, path)).sort()) ?? [];
  }

  exists(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  /** The last part of where a symbolic link leads. */
  linkName(path: string): string | null {
    return orUndefined(() => basename(readlinkSync(join(this.root, path)))) ?? null;
  }

  linkTarget(path: string): string | undefined {
    return orUndefined(() => readlinkSync(join(this.root, path)));
  }

  /** With all symbolic links followed, as seen from the root. */
  realPath(path: string): string | undefined {
    const real = orUndefined(() => realpathSync(join(this.root, path)));
    return real && this.root !== "/" ? real.slice(this.root.length) : real;
  }

  /** "root:root 0600" with numbers for names. */
  ownership(path: string): string | undefined {
    const status = orUndefined(() => statSync(join(this.root, path)));
    return (
      status && `uid ${status.uid}, gid ${status.gid}, mode ${(status.mode & 0o7777).toString(8).padStart(4, "0")}`
    );
  }

  /** Whether this process may open it for reading and writing. */
  mayOpen(path: string): boolean {
    return orUndefined(() => accessSync(join(this.root, path), constants.R_OK | constants.W_OK) ?? true) ?? false;
  }
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
