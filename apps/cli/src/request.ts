import type { Input } from "@lendbuf/shared/api";
import type { Exporter } from "@lendbuf/shared/exporter";

/** Options of every command that asks for a buffer. */
export interface RequestOptions {
  for?: number;
  readOnly?: boolean;
  shared?: boolean;
  wait?: boolean;
  purpose?: string;
  exporter?: Exporter;
  shorten?: boolean;
  priority?: number;
  idle?: number;
}

/** Leaves out what was not said: the agent knows the defaults. */
export function requestOf(buffer: string, options: RequestOptions): Input<"delegations.borrow"> {
  return {
    buffer,
    ...(options.readOnly && { access: "read-only" as const }),
    ...(options.shared && { share: "shared" as const }),
    ...(options.for && { leaseMs: options.for }),
    ...(options.wait && { wait: true }),
    ...(options.purpose && { purpose: options.purpose }),
    ...(options.shorten && { shorten: true }),
    ...(options.priority && { priority: options.priority }),
    ...(options.idle && { idleMs: options.idle }),
    ...(options.exporter && { exporter: options.exporter }),
  };
}
