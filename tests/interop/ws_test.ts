/** npm's `ws`, as client and as server. @module */

import { assertEquals } from "@std/assert";
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { WebSocket as WsClient, WebSocketServer } from "ws";
import { connect, type Handler, serve, type TcpAddr } from "../../mod.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const MESSAGES: (string | Uint8Array<ArrayBuffer>)[] = [
  "",
  "hello",
  "ÿ€😀\ufeff\0",
  "x".repeat(125),
  "x".repeat(126),
  "x".repeat(65_535),
  "x".repeat(65_536),
  new Uint8Array(0),
  Uint8Array.of(0, 1, 254, 255),
  new Uint8Array(300_000).map((_, i) => i * 31),
];

describe("npm's ws as client", () => {
  test("gets back what it sends, and closes both ways", async () => {
    const server = await serve({
      port: 0,
      protocols: ["b"],
      limits: { maxFragments: 10 },
    }, echo);
    const client = new WsClient(
      `ws://127.0.0.1:${(server.addr as TcpAddr).port}/`,
      ["a", "b"],
    );
    const received: unknown[] = [];
    client.on("message", (data: Buffer, isBinary: boolean) => {
      received.push(isBinary ? new Uint8Array(data) : data.toString());
      if (received.length === MESSAGES.length) client.close(4001, "enough");
    });
    await once(client, "open");
    assertEquals(client.protocol, "b");
    const [own] = server.sessions.values();
    for (const message of MESSAGES) client.send(message);
    const [code, reason] = await once(client, "close") as [number, Buffer];
    assertEquals([code, reason.toString()], [4001, ""]);
    assertEquals(received, MESSAGES);
    assertEquals(await own.closed, {
      code: 4001,
      reason: "enough",
      wasClean: true,
    });
    await server.shutdown();
  });

  test("answers our pings, gets answers to its own, and sends fragments", async () => {
    const server = await serve({ port: 0 }, echo);
    const client = new WsClient(
      `ws://127.0.0.1:${(server.addr as TcpAddr).port}/`,
    );
    await once(client, "open");
    const [own] = server.sessions.values();
    assertEquals(typeof await own.ping(), "number");
    const pong = once(client, "pong");
    client.ping("payload");
    assertEquals(String((await pong)[0]), "payload");
    const message = once(client, "message");
    client.send("one ", { fin: false });
    client.send("two ", { fin: false });
    client.send("three", { fin: true });
    assertEquals(String((await message)[0]), "one two three");
    const closed = once(client, "close");
    await server.shutdown();
    assertEquals((await closed)[0], 1001);
  });
});

describe("npm's ws as server", () => {
  test("echoes to our client, answers its pings, and closes both ways", async () => {
    const server = new WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      handleProtocols: () => "b",
      perMessageDeflate: true,
    });
    await once(server, "listening");
    server.on("connection", (socket) => {
      socket.on(
        "message",
        (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }),
      );
      socket.on("close", (code: number) => code === 4000 || socket.terminate());
    });
    const { port } = server.address() as AddressInfo;
    const session = await connect(`ws://127.0.0.1:${port}/`, {
      protocols: ["a", "b"],
    });
    assertEquals([session.protocol, session.extensions], ["b", ""]);
    for (const message of MESSAGES) {
      session.send(message);
      assertEquals(await session.receive(), message);
    }
    assertEquals(typeof await session.ping(), "number");
    assertEquals(await session.close(4000, "bye"), {
      code: 4000,
      reason: "bye",
      wasClean: true,
    });
    const other = await connect(`ws://127.0.0.1:${port}/`, {
      protocols: ["b"],
    });
    for (const socket of server.clients) socket.close(4002, "theirs");
    assertEquals(await other.closed, {
      code: 4002,
      reason: "theirs",
      wasClean: true,
    });
    assertEquals(await other.receive(), null);
    await new Promise((resolve) => server.close(resolve));
  });
});
