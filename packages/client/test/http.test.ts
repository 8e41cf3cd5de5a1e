import { describe, expect, it } from "vitest";
import { HttpAgent } from "../src/http.ts";

describe("an agent elsewhere", () => {
  it.each([
    "http://lab.example:7117",
    "http://192.0.2.1:7117",
    "http://[2001:db8::1]:7117",
    "http://127.0.0.1.evil.example",
  ])("sends no token to another host in the clear: %s", (url) => {
    expect(() => new HttpAgent(url, "secret")).toThrow(/is another host.*Use https:/);
  });

  it.each(["http://127.0.0.1:7117", "http://localhost:7117", "http://[::1]:7117", "https://lab.example:7118"])(
    "may be at %s",
    (url) => {
      using agent = new HttpAgent(url, "secret");

      expect(agent).toBeDefined();
    },
  );
});
