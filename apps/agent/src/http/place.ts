/** Where a door's server answers, as those see it who come through it. */
export interface Place {
  readonly scheme: "http" | "https";
  readonly port: number;
  /** What a Host header may say. */
  readonly hosts: readonly string[];
}

/** As it is told to people: by its first name. */
export function urlOf({ scheme, hosts }: Place): string {
  return `${scheme}://${hosts[0]}`;
}

export function loopback(port: number): Place {
  return { scheme: "http", port, hosts: [`127.0.0.1:${port}`, `localhost:${port}`] };
}
