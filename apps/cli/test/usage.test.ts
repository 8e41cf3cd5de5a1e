import { readFileSync } from "node:fs";
import { MAX_PAGE } from "@lendbuf/shared/api";
import { describe, expect, it } from "vitest";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { PAGE } from "../src/pages.ts";
import { run } from "./lendbuf.ts";

const NOWHERE = { env: { LENDBUF_SOCKET: "/nonexistent/agent.sock" } };

describe("what is typed wrongly is said clearly, exits with 2, and needs no agent", () => {
  it.each([
    ["a command", ["stats"], /unknown command 'stats'\n\(Did you mean status\?\)/],
    ["an option", ["buffers", "--serch", "x"], /unknown option '--serch'\n\(Did you mean --search\?\)/],
    ["a missing argument", ["extend", "3"], /missing required argument 'duration'/],
    ["one argument too many", ["release", "3", "4"], /too many arguments/],
    [
      "a duration",
      ["exec", "sim0/ch0", "--for", "1x", "--", "true"],
      /'1x' is invalid. Write a duration as 90 \(seconds\), 15m/,
    ],
    ["no time at all", ["extend", "3", "0"], /'0' is invalid/],
    ["a word for an id", ["claim", "abc"], /'abc' is invalid for argument 'id'. A delegation's id is a whole number/],
    ["one bad id of several", ["revoke", "1", "2x"], /'2x' is invalid/],
    ["a fraction for an id", ["claim", "1.5"], /'1\.5' is invalid/],
    [
      "a buffer's name",
      ["exec", "../x", "--", "true"],
      /'\.\.\/x' is invalid for argument 'buffer'. A name is letters/,
    ],
    [
      "a range",
      ["define", "a", "--device", "d", "--region", "2", "--range", "4096"],
      /Write a range as OFFSET\+LENGTH/,
    ],
    ["an ambiguous unit", ["define", "a", "--device", "d", "--region", "2", "--range", "0+4KB"], /'0\+4KB' is invalid/],
    ["a region", ["define", "a", "--device", "d", "--region", "BAR2", "--range", "0+4096"], /0 to 5 are the BARs/],
    ["an account that cannot be", ["delegate", "sim0/ch0", "--to", "Al Ice"], /Write an account as alice, or uid:1000/],
    [
      "an account that is an option",
      ["delegate", "sim0/ch0", "--to", "--help"],
      /Write an account as alice, or uid:1000/,
    ],
    ["nothing to revoke", ["revoke"], /Name its id, or --all/],
    ["ids and --all", ["revoke", "3", "--all"], /not both/],
    ["--device without --all", ["revoke", "3", "--device", "sim0"], /--device goes with --all/],
    ["--notice with --all", ["revoke", "--all", "--notice", "5m"], /--notice goes with ids/],
    ["an offset", ["peek", "sim0/regs", "4KiB"], /Write an offset in bytes as 16 or 0x10/],
    ["an offset below 0", ["peek", "sim0/regs", "--", "-4"], /Write an offset in bytes/],
    ["a width", ["peek", "sim0/regs", "0", "--width", "24"], /A width is 8, 16, 32 or 64 bits/],
    ["a value", ["poke", "sim0/regs", "0", "on"], /Write a value of up to 64 bits/],
    ["a value of 65 bits", ["poke", "sim0/regs", "0", "0x10000000000000000"], /Write a value of up to 64 bits/],
    ["exec without a command", ["exec", "sim0/ch0"], /missing required argument 'command'/],
    ["a PCI address", ["device", "bind", "eth0"], /'eth0' is invalid.*lspci -D lists them/],
    ["an empty --socket", ["--socket", "", "status"], /--socket needs the path/],
  ])("%s", async (_name, args, said) => {
    const { code, stdout, stderr } = await run(args, NOWHERE);

    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/^lendbuf: /);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  it("alone, it explains itself", async () => {
    const { code, stderr } = await run([], NOWHERE);

    expect(stderr).toContain("Usage: lendbuf");
    expect(code).toBe(2);
  });
});

describe("without an agent", () => {
  it.each([["status"], ["watch"], ["exec", "sim0/ch0", "--", "echo", "ran"], ["revoke", "--all", "--yes"]])(
    "%s says where it looked and exits with 69",
    async (...args) => {
      const { code, stdout, stderr } = await run(args, NOWHERE);

      expect(stderr).toBe(
        "lendbuf: No agent answers at /nonexistent/agent.sock (ENOENT). Start one with: npm start, or set LENDBUF_SOCKET.\n",
      );
      expect(stdout).toBe("");
      expect(code).toBe(69);
    },
  );

  it("--socket wins over LENDBUF_SOCKET", async () => {
    const { stderr } = await run(["status", "--socket", "/elsewhere.sock"], NOWHERE);

    expect(stderr).toContain("/elsewhere.sock (ENOENT)");
  });

  it("with --json the error is JSON on stderr", async () => {
    const { code, stderr } = await run(["status", "--json"], NOWHERE);

    expect(JSON.parse(stderr)).toEqual({ error: { code: "ENOENT", message: expect.stringContaining("No agent") } });
    expect(code).toBe(69);
  });

  it("a command's own --json after -- is the command's", async () => {
    const { stderr } = await run(["exec", "sim0/ch0", "--", "true", "--json"], NOWHERE);

    expect(stderr).toMatch(/^lendbuf: No agent/);
  });
});

describe("help", () => {
  it("lists the exit codes as the table in the code has them, and so does docs/cli.md", async () => {
    const { code, stdout } = await run(["help", "exit-codes"], NOWHERE);
    const manual = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");

    for (const [exitCode, meaning] of EXIT_CODES) {
      expect(stdout).toContain(`${exitCode}  ${meaning}\n`);
      expect(manual).toContain(`| ${exitCode} | ${meaning} |`);
    }
    expect(code).toBe(0);
  });

  it("names each command, and docs/cli.md explains each", async () => {
    const { stdout } = await run(["--help"], NOWHERE);
    const manual = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
    const commands = [...stdout.matchAll(/^ {2}([a-z][a-z-]*)(?: \[| <| {2})/gm)].map(([, name]) => name!);

    expect(commands).toHaveLength(38);
    for (const command of commands.filter((name) => name !== "help")) expect(manual).toContain(`lendbuf ${command}`);
  });

  it("--version prints it", async () => {
    expect(await run(["--version"], NOWHERE)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

it("asks for no more than a page may have", () => {
  expect(PAGE).toBeLessThanOrEqual(MAX_PAGE);
});
