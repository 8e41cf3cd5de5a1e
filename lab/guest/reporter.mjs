// A reporter of node:test that says each test as a line of JSON, as the proofs do: name, ok, and why not; `skip` where it was not tried; how many `ms` it took.
export default async function* report(events) {
  const names = [];
  for await (const { type, data } of events) {
    if (type === "test:start") names[data.nesting] = data.name;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details.type === "suite" && type === "test:pass") continue;
    const name = [...names.slice(0, data.nesting), data.name].join(": ");
    const { error, duration_ms } = data.details;
    const why = error && String(error.cause?.stack ?? error.message);
    yield `${JSON.stringify({ name, ok: type === "test:pass", skip: data.skip, why, ms: Math.round(duration_ms) })}\n`;
  }
}
