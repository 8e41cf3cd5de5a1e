import { join } from "node:path";
import type { Client } from "./client.ts";
import { CommandLine } from "./command-line.ts";
import { Program } from "./program.ts";

/** What has to be told apart. */
export type Refusal =
  | "not found"
  | "busy"
  | "not allowed"
  | "unsupported"
  | "still taken"
  | "revoked"
  | "read only"
  | "not mappable"
  | "connection lost"
  | "no agent";

export interface ClientKind {
  name: string;
  /** By what its users tell them apart: classes of exceptions, errnos with the agent's code, exit codes of `lendbuf` and errnos of what it runs. */
  refusals: Record<Refusal, string>;
  /** Connected to the agent. */
  start(places: Places): Promise<Client>;
}

/** Where a client finds all it needs. */
export interface Places {
  /** Of the checkout. */
  root: string;
  /** What makePrograms() has made. */
  programs: string;
  socket: string;
}

const CLASSES = {
  "not found": "NotFound",
  busy: "Busy",
  "not allowed": "NotAllowed",
  unsupported: "Unsupported",
  "still taken": "StillTaken",
  revoked: "Revoked",
  "read only": "ReadOnly",
  "not mappable": "NotMappable",
  "connection lost": "ConnectionLost",
  "no agent": "NoAgent",
};

export const CLIENTS: readonly ClientKind[] = [
  {
    name: "typescript",
    refusals: CLASSES,
    start: ({ programs, socket }) => Program.start([process.execPath, join(programs, "typescript.mjs")], socket),
  },
  {
    name: "python",
    refusals: CLASSES,
    start: ({ root, socket }) =>
      Program.start(["python3", "-B", join(root, "clients/contract/programs/python.py")], socket, {
        PYTHONPATH: join(root, "clients/python"),
      }),
  },
  {
    name: "c",
    refusals: {
      "not found": "ENOENT:NOT_FOUND",
      busy: "EBUSY:BUSY",
      "not allowed": "EACCES:NOT_ALLOWED",
      unsupported: "EOPNOTSUPP:UNSUPPORTED",
      "still taken": "ETIMEDOUT",
      revoked: "EFAULT",
      "read only": "EACCES",
      "not mappable": "EINVAL",
      "connection lost": "ECONNRESET",
      "no agent": "ECONNREFUSED",
    },
    start: ({ programs, socket }) => Program.start([join(programs, "c")], socket),
  },
  {
    name: "command-line",
    refusals: {
      "not found": "exit 4",
      busy: "exit 5",
      "not allowed": "exit 3",
      unsupported: "exit 8",
      "still taken": "exit 124",
      revoked: "EFAULT",
      "read only": "EACCES",
      "not mappable": "EINVAL",
      "connection lost": "exit 69", // each command has a connection of its own
      "no agent": "exit 69",
    },
    start: async ({ root, programs, socket }) =>
      new CommandLine(
        { lendbuf: [process.execPath, join(root, "apps/cli/dist/main.js")], holder: join(programs, "c") },
        socket,
      ),
  },
];
