import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { sourceOf } from "./source.ts";

const OWN = `uid:${process.getuid!()}`;

describe("who sent a request", () => {
  it.each(["127.0.0.1", "::1"])("is the user whose program it is, through %s", async (host) => {
    const server = createServer(async (got, response) => response.end(await sourceOf(got))).listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const [response] = (await once(request({ host, port, agent: false }).end(), "response")) as [IncomingMessage];
    const said = (await response.setEncoding("utf8").toArray()).join("");
    server.close();

    expect(said).toBe(OWN);
  });

  it.each([
    ["another host", "203.0.113.7", "203.0.113.7"],
    ["another host, as a socket for both versions has it", "::ffff:203.0.113.7", "203.0.113.7"],
    ["a network of IPv6, whose addresses one client has all of", "2001:db8:1:2:3:4:5:6", "32.1.13.184.0.1.0.2"],
    ["the same, another address", "2001:db8:1:2::9", "32.1.13.184.0.1.0.2"],
  ])("is %s", async (_what, remoteAddress, source) => {
    const socket = { remoteAddress, remotePort: 4242, localAddress: "198.51.100.1", localPort: 443 };

    expect(await sourceOf({ socket } as unknown as IncomingMessage)).toBe(source);
  });

  it("is nobody where a program of this host has let go of its end, and not root, whom the kernel names then", async () => {
    const server = createTcpServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [Socket];
    const before = await sourceOf({ socket } as unknown as IncomingMessage);
    client.destroy();
    await once(socket.resume(), "end");

    const after = await sourceOf({ socket } as unknown as IncomingMessage);
    socket.destroy();
    server.close();

    expect([before, after]).toEqual([OWN, undefined]);
  });
});
