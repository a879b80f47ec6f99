/** permessage-deflate with others: npm's `ws`, Bun's server, each runtime's own client. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { WebSocket as WsClient, WebSocketServer } from "ws";
import {
  type CompressOptions,
  connect,
  type Handler,
  HandshakeError,
  serve,
  type TcpAddr,
} from "../../mod.ts";
import { seededBytes } from "../cuts.ts";
import { startExample, startProgram } from "../programs.ts";
import { runtimeCommand, RUNTIMES } from "../toolchain.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const MESSAGES: readonly (string | Uint8Array<ArrayBuffer>)[] = [
  "",
  "hello",
  "ÿ€😀\ufeff\0".repeat(20),
  "x".repeat(125),
  "abc".repeat(42),
  JSON.stringify(Array.from({ length: 300 }, (_, i) => ({ id: i, name: `user ${i % 7}` }))),
  "x".repeat(65_535),
  "xy".repeat(32_768),
  new Uint8Array(0),
  seededBytes(60_000, 1),
  seededBytes(500_000, 2).map((byte) => byte & 15),
  "the last one",
];

const equal = (left: unknown, right: unknown): boolean =>
  left instanceof Uint8Array && right instanceof Uint8Array
    ? left.length === right.length && left.every((byte, i) => byte === right[i])
    : left === right;

function expectSame(received: readonly unknown[]): void {
  assertEquals(received.length, MESSAGES.length);
  for (const [i, message] of received.entries()) {
    assert(equal(message, MESSAGES[i]), `message ${i} came back as another one`);
  }
}

/** All messages to `url` and back over our client. */
async function exchange(url: string, compress: CompressOptions): Promise<string> {
  const session = await connect(url, { compress: { threshold: 0, ...compress } });
  for (const message of MESSAGES) session.send(message);
  const received: unknown[] = [];
  while (received.length < MESSAGES.length) received.push(await session.receive());
  expectSame(received);
  assertEquals((await session.close(1000)).wasClean, true);
  return session.extensions;
}

const OURS: readonly CompressOptions[] = [
  {},
  { contextTakeover: true, level: 6 },
  { windowBits: 9 },
  { windowBits: 8, contextTakeover: true },
  { windowBits: 12, contextTakeover: true, memLevel: 1, level: 9 },
];

interface WsDeflate {
  readonly threshold: number;
  readonly serverNoContextTakeover?: boolean;
  readonly clientNoContextTakeover?: boolean;
  readonly serverMaxWindowBits?: number;
  readonly clientMaxWindowBits?: number;
}

const THEIRS: readonly WsDeflate[] = [
  { threshold: 0 },
  { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
  { threshold: 0, serverNoContextTakeover: true, serverMaxWindowBits: 9 },
];

describe("npm's ws as client", () => {
  for (const compress of OURS) {
    test(`compresses both ways with our ${JSON.stringify(compress)}`, async () => {
      const server = await serve({ port: 0, compress: { threshold: 0, ...compress } }, echo);
      for (const perMessageDeflate of THEIRS) {
        const url = `ws://127.0.0.1:${(server.addr as TcpAddr).port}/`;
        const client = new WsClient(url, { perMessageDeflate });
        const received: unknown[] = [];
        client.on("message", (data: Buffer, isBinary: boolean) => {
          received.push(isBinary ? new Uint8Array(data) : data.toString());
          if (received.length === MESSAGES.length) client.close(1000);
        });
        await once(client, "open");
        assert(client.extensions.startsWith("permessage-deflate"));
        for (const message of MESSAGES) client.send(message);
        assertEquals((await once(client, "close"))[0], 1000);
        expectSame(received);
      }
      await server.shutdown();
    });
  }

  test("sends compressed fragments, and pings among them", async () => {
    const server = await serve({ port: 0, compress: { threshold: 0 } }, echo);
    const client = new WsClient(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`, {
      perMessageDeflate: { threshold: 0 },
    });
    await once(client, "open");
    const parts = ["abc".repeat(1000), "def".repeat(1000), ""];
    const answer = once(client, "message");
    for (const [i, part] of parts.entries()) {
      client.send(part, { fin: i === parts.length - 1, compress: true });
      client.ping();
    }
    assertEquals(String((await answer)[0]), parts.join(""));
    client.close();
    await once(client, "close");
    await server.shutdown();
  });
});

describe("npm's ws as server", () => {
  for (const perMessageDeflate of THEIRS) {
    test(`compresses both ways with its ${JSON.stringify(perMessageDeflate)}`, async () => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate });
      server.on("connection", (socket: WsClient) => {
        socket.on("message", (data: Buffer, binary: boolean) => socket.send(data, { binary }));
      });
      await once(server, "listening");
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      for (const compress of OURS) {
        // Where an offer asks for less than ws is set to, it refuses the connection.
        const most = perMessageDeflate.serverMaxWindowBits ?? 0;
        if (most > (compress.windowBits ?? 15)) {
          await assertRejects(() => exchange(url, compress), HandshakeError, "status 400");
        } else {
          assert((await exchange(url, compress)).startsWith("permessage-deflate"));
        }
      }
      server.close();
      await once(server, "close");
    });
  }
});

describe("Bun's own server", () => {
  for (const flags of [[], ["--dedicated"]]) {
    test(`compresses both ways ${flags.join(" ")}`, async () => {
      const { command, args } = runtimeCommand("bun", "tests/fixtures/compressing_peer.ts", flags);
      const peer = await startProgram(command, args);
      try {
        for (const compress of OURS) {
          const extensions = await exchange(peer.url, compress);
          assert(extensions === "" || extensions.startsWith("permessage-deflate"), extensions);
        }
        assert((await exchange(peer.url, {})).startsWith("permessage-deflate"));
      } finally {
        await peer.stop();
      }
    });
  }
});

describe("the built-in WebSocket", () => {
  for (const runtime of RUNTIMES) {
    for (const flags of [["--compress"], ["--compress", "--context-takeover"]]) {
      test(`talks to echo.ts ${flags.join(" ")} on ${runtime}`, async () => {
        const program = await startExample(runtime, "examples/echo.ts", ["--port", "0", ...flags]);
        try {
          const socket = new WebSocket(program.url);
          socket.binaryType = "arraybuffer";
          const received: unknown[] = [];
          const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
          socket.onmessage = ({ data }) => {
            received.push(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
            if (received.length === MESSAGES.length) socket.close(1000);
          };
          await new Promise((resolve) => socket.onopen = resolve);
          // Deno's client offers nothing; Node's and Bun's do.
          const offers = !("Deno" in globalThis);
          assertEquals(socket.extensions.startsWith("permessage-deflate"), offers);
          for (const message of MESSAGES) socket.send(message);
          assertEquals((await closed).code, 1000);
          expectSame(received);
        } finally {
          assertEquals(await program.stop(), 0);
        }
      });
    }
  }
});
