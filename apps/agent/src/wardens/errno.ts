import { constants } from "node:os";

const NAMES = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, value]) => [value, name] as const),
  [77, "EBADFD"], // Linux's own: libuv and Node do not know it
]);

export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}
