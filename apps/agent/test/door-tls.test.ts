// The door over TLS: the only one that leaves this host, with the operator's certificate.
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { readCertificate } from "../src/http/certificate.ts";
import { makeCertificate } from "./certificates.ts";
import { type AgentProcess, runAgent, startAgent } from "./harness.ts";

const CLI = fileURLToPath(new URL("../../cli/dist/main.js", import.meta.url));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-tls-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ask {
  path: string;
  host?: string;
  headers?: Record<string, string>;
  body?: string;
}

describe("the door over TLS", () => {
  let agent: AgentProcess;
  let port: number;
  let files: { cert: string; key: string };
  const host = () => `lab.example:${port}`;

  beforeAll(async () => {
    files = makeCertificate(folder, "first");
    agent = await startAgent({
      args: ["--listen", "127.0.0.1:0", "--tls-cert", files.cert, "--tls-key", files.key],
      env: { LENDBUF_LOG: "info" },
    });
    port = Number(/https:\/\/lab\.example:(\d+)/.exec(agent.output)?.[1]);
  });

  afterAll(() => agent?.stop());

  function ask({ path, host: name = host(), headers = {}, body }: Ask) {
    return new Promise<{ status: number; cookie: string | undefined; text: string }>((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port,
        ca: readFileSync(files.cert),
        servername: "lab.example",
        method: body === undefined ? "GET" : "POST",
        path,
        headers: { host: name, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        agent: false as const,
      };
      const asked = request(options, async (response) => {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        resolve({ status: response.statusCode!, cookie: response.headers["set-cookie"]?.[0], text });
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }

  async function signIn() {
    const connection = await agent.connect();
    const { url } = await connection.call("sessions.createLink");
    connection.close();
    const { cookie, text } = await ask({
      path: "/login",
      headers: { "x-lendbuf": "1" },
      body: JSON.stringify({ secret: url.split("#login=")[1] }),
    });
    return { url, cookie: cookie!, key: JSON.parse(text).key as string };
  }

  it("answers by the names of its certificate, and by no other", async () => {
    const statusOf = async (name: string) => (await ask({ path: "/healthz", host: name })).status;

    const known = [await statusOf(host()), await statusOf(`127.0.0.1:${port}`)];
    const strange = [
      await statusOf(`evil.example:${port}`),
      await statusOf("lab.example"),
      await statusOf(`localhost:${port}`),
    ];

    expect([known, strange]).toEqual([
      [200, 200],
      [421, 421, 421],
    ]);
  });

  it("signs in with a link to it and a cookie that no other host may set and no plain connection carries", async () => {
    const { url, cookie, key } = await signIn();
    const headers = { cookie: cookie.split(";")[0]!, "x-lendbuf-key": key };

    expect(url).toMatch(new RegExp(`^https://lab\\.example:${port}/#login=`));
    expect(cookie).toMatch(new RegExp(`^__Host-lendbuf-${port}=.*; HttpOnly; SameSite=Strict; Path=/;.*; Secure$`));
    expect((await ask({ path: "/trpc/status.get", headers })).status).toBe(200);
    expect((await ask({ path: "/trpc/status.get", headers: { cookie: headers.cookie } })).status).toBe(401);
  });

  it.each([
    ["the same name without TLS", () => `http://${host()}`],
    ["another name", () => "https://evil.example"],
    ["another name of ours", () => `https://127.0.0.1:${port}`],
  ])("has nothing for pages of %s", async (_what, origin) => {
    expect((await ask({ path: "/healthz", headers: { origin: origin() } })).status).toBe(403);
  });

  it("lets pages and scripts subscribe", async () => {
    const { cookie, key } = await signIn();
    const socket = new WebSocket(`wss://127.0.0.1:${port}/trpc?connectionParams=1`, {
      ca: readFileSync(files.cert),
      headers: { host: host(), origin: `https://${host()}`, cookie: cookie.split(";")[0]! },
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const answer = new Promise((resolve) => {
      socket.on("message", (data) => {
        const { result } = JSON.parse(String(data));
        if (result?.data) resolve(result.data);
      });
    });

    socket.send(JSON.stringify({ method: "connectionParams", data: { key } }));
    socket.send(JSON.stringify({ id: 1, method: "subscription", params: { path: "status.watch", input: {} } }));

    expect(await answer).toMatchObject({ pid: agent.pid });
    socket.terminate();
  });

  it("serves the command line from elsewhere, which trusts the certificate and has a token", async () => {
    const connection = await agent.connect();
    const { token } = await connection.call("tokens.create", { name: "elsewhere" });
    connection.close();
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const whoami = (trusted: string | undefined) =>
      new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
        const args = [CLI, "--agent", `https://127.0.0.1:${port}`, "--token-file", tokenFile, "whoami"];
        const env = { PATH: process.env.PATH, ...(trusted && { NODE_EXTRA_CA_CERTS: trusted }) };
        execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
          resolve({ code: error?.code ?? 0, stdout, stderr }),
        );
      });

    const trusting = await whoami(files.cert);
    const strange = await whoami(undefined);

    expect(trusting).toMatchObject({ code: 0, stdout: expect.stringMatching(/a member/) });
    expect(strange.code).not.toBe(0);
    expect(strange.stderr).toMatch(/^lendbuf: .*certificate/i);
  });

  it("speaks nothing but TLS, and no old one", async () => {
    const plain = await new Promise<string>((resolve) => {
      let text = "";
      const socket = connectPlain(port, "127.0.0.1", () =>
        socket.write(`GET /healthz HTTP/1.1\r\nhost: ${host()}\r\n\r\n`),
      );
      socket.setEncoding("latin1").on("data", (data) => {
        text += data;
      });
      socket.on("error", () => {}).on("close", () => resolve(text));
    });
    const old = await new Promise<string>((resolve) => {
      const socket = connectTls({ port, host: "127.0.0.1", maxVersion: "TLSv1.1", minVersion: "TLSv1" });
      socket.once("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? ""));
      socket.once("secureConnect", () => resolve("connected"));
    });

    expect(plain).not.toContain("version");
    expect(old).toMatch(/^E/);
  });

  it("takes up a new certificate when its files change, and keeps the one before where the new one is none", async () => {
    const subjectNow = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
          const { subject } = socket.getPeerCertificate() as PeerCertificate;
          socket.destroy();
          resolve(String(subject.CN));
        });
        socket.once("error", reject);
      });
    const logged = async (words: RegExp) => {
      while (!words.test(agent.output)) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const keptKey = join(folder, "kept.key");
    copyFileSync(files.key, keptKey);

    writeFileSync(files.cert, "no certificate");
    await logged(/a new certificate cannot be used/);
    const kept = await subjectNow();
    const second = makeCertificate(folder, "second");
    renameSync(second.key, files.key);
    renameSync(second.cert, files.cert);
    await logged(/a new certificate is in use/);
    const next = await subjectNow();

    expect([kept, next]).toEqual(["first", "second"]);
    expect((await ask({ path: "/healthz" })).status).toBe(200);
  }, 30_000);
});

describe("an agent is not started", () => {
  const start = async (...args: string[]) => {
    const state = join(folder, "state");
    const { code, stderr } = await runAgent(["--port", "0", "--state", state, "--socket", join(folder, "s"), ...args]);
    return { code, stderr };
  };

  it.each([
    ["off loopback without a certificate", ["--listen", "0.0.0.0:0"], /--listen takes the other two .*nothing but TLS/],
    ["with a certificate for no door", ["--tls-cert", "x"], /--tls-cert takes the other two/],
    ["at a name", ["--listen", "lab.example:1", "--tls-cert", "x", "--tls-key", "y"], /such as 0\.0\.0\.0:7118/],
    ["at no port", ["--listen", "0.0.0.0", "--tls-cert", "x", "--tls-key", "y"], /such as 0\.0\.0\.0:7118/],
  ])("%s", async (_what, args, words) => {
    expect(await start(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
  });

  it.each([
    [
      "that is not there",
      () => ({ cert: join(folder, "none.pem"), key: join(folder, "none.key") }),
      /cannot be read.*ENOENT/,
    ],
    ["that names nobody", () => makeCertificate(folder, "nobody", ""), /names no host/],
    [
      "with another's key",
      () => ({ cert: makeCertificate(folder, "a").cert, key: makeCertificate(folder, "b").key }),
      /does not belong to the certificate/,
    ],
    [
      "that is none",
      () => {
        writeFileSync(join(folder, "junk.pem"), "junk");
        return { cert: join(folder, "junk.pem"), key: makeCertificate(folder, "c").key };
      },
      /is not what it should be, in PEM/,
    ],
  ])("with a certificate %s", async (_what, make, words) => {
    const { cert, key } = make();

    const ended = await start("--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key);

    expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(words) });
  });

  it("with a certificate that has ended", () => {
    const files = makeCertificate(folder, "brief");
    const inThreeDays = Date.now() + 3 * 86_400_000;

    expect(readCertificate(files).names).toEqual(["lab.example", "127.0.0.1"]);
    expect(() => readCertificate(files, inThreeDays)).toThrow(/ended at .*Put a new one/);
  });
});
