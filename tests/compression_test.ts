/** permessage-deflate between serve() and connect(). @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import {
  ClosedError,
  connect,
  type ConnectOptions,
  type Handler,
  type Handlers,
  HandshakeError,
  serve,
  type ServeOptions,
  type Server,
  type WebSocketSession,
} from "../mod.ts";
import {
  acceptCompression,
  type Compression,
  CompressionOffer,
  ContextBudget,
} from "../src/compression.ts";
import { sharedTimers } from "../src/clock.ts";
import { formatExtensions, parseExtensions } from "../src/core/extensions.ts";
import { resolveSessionOptions } from "../src/options.ts";
import { collectGarbage } from "./garbage.ts";
import { MemoryListener } from "../src/runtime/memory.ts";
import { deflaterSize, freeIdleHandles, inflaterSize, openHandles } from "../src/runtime/zlib.ts";
import { seededBytes } from "./cuts.ts";
import { decodeFrames, encodeFrame, MASK } from "./frames.ts";
import { sessionAndPeer } from "./session_pair.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** Fails if a promise takes longer than anything here may. */
async function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Nothing came within 3 s")), 3000);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const TEXT = JSON.stringify(Array.from({ length: 60 }, (_, i) => ({ id: i, name: `user ${i}` })));

interface Pair {
  readonly server: Server;
  readonly session: WebSocketSession;
  /** Bytes that the client got, and sent. */
  readonly traffic: { received: number; sent: number };
}

/** A server and a client in memory; bytes on the way are counted. */
async function withPair(
  options: Pick<ServeOptions, "compress" | "limits" | "accept">,
  clientOptions: Pick<ConnectOptions, "compress" | "limits">,
  run: (pair: Pair) => Promise<void>,
  handler: Handler | Handlers = echo,
): Promise<void> {
  const listener = new MemoryListener();
  const server = await serve({ listener, ...options }, handler);
  const conn = listener.connect();
  const traffic = { received: 0, sent: 0 };
  const counting = {
    read: async () => {
      const bytes = await conn.read();
      traffic.received += bytes?.length ?? 0;
      return bytes;
    },
    write: (bytes: Uint8Array) => {
      traffic.sent += bytes.length;
      return conn.write(bytes);
    },
    closeWrite: () => conn.closeWrite(),
    close: () => conn.close(),
  };
  const session = await connect("ws://memory/", { conn: counting, ...clientOptions });
  traffic.received = 0;
  traffic.sent = 0;
  await run({ server, session, traffic });
  await session.close();
  await server.shutdown();
}

async function exchange(session: WebSocketSession, message: string | Uint8Array): Promise<void> {
  session.send(message);
  assertEquals(await session.receive(), message);
}

describe("compress", () => {
  for (const contextTakeover of [false, true]) {
    test(`makes messages small both ways (contextTakeover: ${contextTakeover})`, async () => {
      const compress = { contextTakeover };
      await withPair({ compress }, { compress }, async ({ server, session, traffic }) => {
        const [own] = server.sessions.values();
        assertEquals(own.extensions, session.extensions);
        assert(session.extensions.startsWith("permessage-deflate"));
        await exchange(session, TEXT);
        assert(traffic.sent < TEXT.length / 3, `${traffic.sent}`);
        assert(traffic.received < TEXT.length / 3, `${traffic.received}`);
        const first = traffic.sent;
        await exchange(session, TEXT);
        const second = traffic.sent - first;
        assert(contextTakeover ? second < first / 3 : Math.abs(second - first) < 8, `${second}`);
        for (const size of [0, 1, 1023, 1024, 100_000, 900_000]) {
          await exchange(session, seededBytes(size, 1).map((byte) => byte & 3));
          await exchange(session, seededBytes(size, 2));
        }
      });
    });
  }

  test("is off unless both ask for it", async () => {
    for (const [ours, theirs] of [[false, true], [true, false], [undefined, undefined]]) {
      await withPair({ compress: ours }, { compress: theirs }, async ({ session, traffic }) => {
        assertEquals(session.extensions, "");
        await exchange(session, TEXT);
        assert(traffic.sent > TEXT.length && traffic.received > TEXT.length);
      });
    }
  });

  test("C-19 threshold, and send(message, { compress }), decide about one message", async () => {
    await withPair({ compress: true }, { compress: true }, async ({ session, traffic }) => {
      const sizes: number[] = [];
      const send = async (message: string, compress?: boolean): Promise<void> => {
        const before = traffic.sent;
        await session.send(message, { compress });
        await session.receive();
        sizes.push(traffic.sent - before);
      };
      await send("a".repeat(1023));
      await send("a".repeat(1024));
      await send("a".repeat(1023), true);
      await send("a".repeat(1024), false);
      assertEquals(sizes.map((size) => size > 1000), [true, false, false, true]);
    });
  });

  test("a long answer leaves when it has been compressed, though more messages wait", async () => {
    const long = seededBytes(300_000, 3);
    const answer: Handlers = {
      message: async (session) => {
        await session.send(long);
      },
    };
    await withPair({ compress: true }, { compress: true }, async ({ session }) => {
      session.send("one");
      session.send("two");
      for (const _ of ["one", "two"]) assertEquals(await soon(session.receive()), long);
    }, answer);
  });

  test("a long message leaves when it has been compressed, though a write is under way", async () => {
    const long = seededBytes(300_000, 4);
    await withPair({ compress: true }, { compress: true }, async ({ session }) => {
      await session.send("short");
      await soon(session.send(long));
      assertEquals(await session.receive(), "short");
      assertEquals(await soon(session.receive()), long);
    });
  });

  test("the message limit holds for what is inflated", async () => {
    const limits = { maxMessageSize: 10_000 };
    const handler: Handler = async (session) => void (await session.closed);
    await withPair({ compress: true, limits }, { compress: true }, async ({ session }) => {
      session.send(new Uint8Array(10_001));
      const { code, reason } = await session.closed;
      assertEquals(code, 1009);
      assertEquals(reason, "Message is longer than 10000 bytes (limits.maxMessageSize)");
    }, handler);
  });

  test("X-10 close() right behind long messages comes last, and everything arrives", async () => {
    const received: number[] = [];
    const handler: Handler = async (session) => {
      for await (const message of session) received.push(message.length);
    };
    const limits = { maxMessageSize: 2_000_000 };
    await withPair({ compress: true, limits }, { compress: true }, async ({ session }) => {
      const sent = [1_500_000, 10, 700_000, 0, 3000].map((size) => {
        session.send(new Uint8Array(size));
        return size;
      });
      assertEquals(session.bufferedAmount, sent.reduce((sum, size) => sum + size));
      assertEquals((await session.close(1000)).wasClean, true);
      assertEquals(received, sent);
    }, handler);
  });

  test("a ping passes while a long message is being compressed", async () => {
    const limits = { maxMessageSize: 20_000_000 };
    await withPair({ compress: true, limits }, { compress: true, limits }, async ({ session }) => {
      const long = seededBytes(8_000_000, 1).map((byte) => byte & 31);
      let isSent = false;
      const sent = session.send(long).then(() => isSent = true);
      await session.ping();
      assertEquals(isSent, false);
      await sent;
      assertEquals((await session.receive())?.length, long.length);
    });
  });

  test("abort() while codecs work settles everything and frees them", async () => {
    freeIdleHandles();
    const before = openHandles();
    await withPair({ compress: true }, { compress: true }, async ({ session }) => {
      const sent = session.send(new Uint8Array(5_000_000));
      const late = session.send("late");
      session.abort(new Error("enough"));
      await assertRejects(() => sent, ClosedError);
      await assertRejects(() => late, ClosedError);
      assertEquals((await session.closed).wasClean, false);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    freeIdleHandles();
    assertEquals(openHandles(), before);
  });
});

describe("broadcast", () => {
  test("M-13 reaches compressed and plain sessions alike, with one set of bytes", async () => {
    const listener = new MemoryListener();
    const server = await serve({ listener, compress: { contextTakeover: true } }, {});
    const compress = { contextTakeover: true };
    const choices = [true, true, false, compress, compress, { windowBits: 9 }] as const;
    const sessions = await Promise.all(
      choices.map((compress) => connect("ws://memory/", { conn: listener.connect(), compress })),
    );
    while (server.sessions.size < choices.length) await new Promise((r) => setTimeout(r, 1));
    for (const message of [TEXT, "short", new Uint8Array(600_000), TEXT]) {
      for (const own of server.sessions.values()) own.send(TEXT);
      assertEquals(server.broadcast(message), choices.length);
      for (const session of sessions) {
        assertEquals(await session.receive(), TEXT);
        assertEquals(await session.receive(), message);
      }
    }
    assertEquals(server.broadcast(TEXT, [], { compress: false }), 0);
    await Promise.all(sessions.map((session) => session.close()));
    await server.shutdown();
  });
});

describe("context budget", () => {
  const sizes = deflaterSize({ level: 6, windowBits: 15, memLevel: 8 }) + inflaterSize(15);

  test("counts contexts while their sessions live; when spent, new ones do without", async () => {
    const listener = new MemoryListener();
    const server = await serve({
      listener,
      compress: { contextTakeover: true, contextBudget: 4 * sizes },
    }, echo);
    const clients: WebSocketSession[] = [];
    const open = async (): Promise<WebSocketSession> => {
      const compress = { contextTakeover: true };
      const session = await connect("ws://memory/", { conn: listener.connect(), compress });
      clients.push(session);
      return session;
    };
    const NONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    // Both ends of each connection are in this process, so each counts twice.
    assertEquals((await open()).extensions, "permessage-deflate");
    assertEquals((await open()).extensions, "permessage-deflate");
    assertEquals(server.stats().contexts, 8);
    assertEquals(server.stats().contextBytes, 4 * sizes);
    assertEquals((await open()).extensions, NONE);
    for (const session of clients) await exchange(session, TEXT);
    await clients[0].close();
    while (server.sessions.size > 2) await new Promise((r) => setTimeout(r, 1));
    assertEquals(server.stats().contextBytes, 2 * sizes);
    assertEquals((await open()).extensions, "permessage-deflate");
    await Promise.all(clients.map((session) => session.close()));
    await server.shutdown();
    assertEquals([server.stats().contexts, server.stats().contextBytes], [0, 0]);
  });

  test("gets back what a handshake that fails had taken", async () => {
    const listener = new MemoryListener();
    const server = await serve({
      listener,
      compress: { contextTakeover: true },
      accept: (request) => {
        if (request.target === "/no") return new Response(null, { status: 403 });
        if (request.target === "/wrong") return { protocol: "not offered" };
      },
      onError: () => {},
    }, echo);
    const compress = { contextTakeover: true };
    for (const target of ["no", "wrong"]) {
      const attempt = connect(`ws://memory/${target}`, { conn: listener.connect(), compress });
      await assertRejects(() => attempt, HandshakeError);
    }
    // A client that leaves before the 101 is written.
    const conn = listener.connect();
    await conn.write(new TextEncoder().encode(
      "GET / HTTP/1.1\r\nHost: memory\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ));
    conn.reset();
    await server.shutdown();
    assertEquals([server.stats().contexts, server.stats().contextBytes], [0, 0]);
  });

  test("a client takes for its offer what it may need, and keeps what it does", () => {
    const budget = new ContextBudget();
    const { compress } = resolveSessionOptions({ compress: { contextTakeover: true } });
    assert(compress !== false);
    const offer = new CompressionOffer(compress, sharedTimers, budget);
    assertEquals(offer.extensions, "permessage-deflate; client_max_window_bits");
    assertEquals([budget.contexts, budget.bytes], [2, sizes]);
    const answer = "permessage-deflate; client_no_context_takeover; server_max_window_bits=9";
    const compression = offer.accept(parseExtensions(answer));
    assertEquals([budget.contexts, budget.bytes], [1, inflaterSize(9)]);
    compression!.close();
    compression!.close();
    assertEquals([budget.contexts, budget.bytes], [0, 0]);

    const small = { ...compress, contextBudget: sizes - 1 };
    const modest = new CompressionOffer(small, sharedTimers, budget);
    assertEquals(
      modest.extensions,
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
        "client_max_window_bits",
    );
    assertEquals(modest.accept([]), null);
    const failed = new CompressionOffer(compress, sharedTimers, budget);
    failed.close();
    assertEquals(budget.contexts, 0);
    const accepted = acceptCompression(
      parseExtensions("permessage-deflate"),
      small,
      sharedTimers,
      budget,
    );
    assertEquals(
      accepted?.extensions,
      formatExtensions(parseExtensions(accepted?.extensions ?? "")),
    );
    assert(accepted?.extensions.includes("server_no_context_takeover"));
  });
});

describe("a session whose codec", () => {
  const broken = (part: Partial<Compression>): Compression => ({
    deflater: { deflate: (bytes: Uint8Array) => bytes, reset() {}, close() {} },
    inflater: { inflate() {}, close() {} },
    threshold: 0,
    key: "",
    close() {},
    ...part,
  } as Compression);

  test("cannot compress ends with what it says", async () => {
    const deflate = (): Promise<Uint8Array> => Promise.reject(new Error("out of memory"));
    const { session, peer } = sessionAndPeer("server", {
      compression: broken({ deflater: { deflate, reset() {}, close() {} } }),
    });
    const sent = session.send("x".repeat(100_000));
    const status = session.closed;
    await assertRejects(() => sent, ClosedError);
    peer.close();
    assertEquals(((await status).error as Error).message, "out of memory");
  });

  test("takes its time holds back what follows, and reads on then", async () => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => go = resolve);
    const { session, peer } = sessionAndPeer("server", {
      compression: broken({
        inflater: {
          inflate: (bytes, _, sink) => gate.then(() => sink(bytes, false)),
          close() {},
        },
      }),
    });
    const payload = new TextEncoder().encode("compressed");
    await peer.write(encodeFrame({ rsv: 4, opcode: 1, mask: MASK, payload }));
    await peer.write(encodeFrame({ opcode: 1, mask: MASK, payload: payload.subarray(0, 4) }));
    const first = session.receive();
    const second = session.receive();
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    go();
    assertEquals([await first, await second], ["compressed", "comp"]);
    session.send("x");
    const bytes = await peer.read();
    assertEquals(decodeFrames("server", bytes!, true).length, 1);
    session.abort();
  });
});

describe("an idle session", () => {
  /** Bytes of the heap without garbage, and of what hangs on it outside. */
  async function heapSize(): Promise<number> {
    const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
    for (let i = 0; i < 4; i++) {
      if (Bun !== undefined) Bun.gc(true);
      else collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  /** What a pair of sessions holds that have exchanged a message, in bytes. */
  async function sizeOfPair(compress: boolean): Promise<number> {
    const count = 1000;
    const listener = new MemoryListener();
    const server = await serve({ listener, compress }, echo);
    const open = async (): Promise<WebSocketSession> => {
      const session = await connect("ws://memory/", { conn: listener.connect(), compress });
      await exchange(session, TEXT);
      await exchange(session, "x"); // connections in memory keep what was read last
      return session;
    };
    const warm = await Promise.all(Array.from({ length: 100 }, open));
    const before = await heapSize();
    const sessions = await Promise.all(Array.from({ length: count }, open));
    const size = (await heapSize() - before) / count;
    await Promise.all([...warm, ...sessions].map((session) => session.close()));
    await server.shutdown();
    return size;
  }

  test("costs at most 1 KiB more with compression than without", async () => {
    await sizeOfPair(true);
    const plain = await sizeOfPair(false);
    const compressed = await sizeOfPair(true);
    // Both ends of each connection are in this process.
    const more = (compressed - plain) / 2;
    assert(more < 1024, `${Math.round(more)} bytes more than ${Math.round(plain / 2)}`);
  });
});
