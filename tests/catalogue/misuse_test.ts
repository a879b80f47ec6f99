/** Section 8 of the catalogue: arguments of every type, and what happens to bytes that are shared. @module */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import {
  type Acceptance,
  ClosedError,
  connect,
  type ConnectOptions,
  type Sendable,
  serve,
  type ServeOptions,
  type WebSocketSession,
} from "../../mod.ts";
import { decodeFrames } from "../frames.ts";
import { RawPeer, REQUEST, requestWith } from "../raw_peer.ts";
import { readAll, sessionAndPeer, sessionPair } from "../session_pair.ts";
import { echo, urlOf, withServer } from "./servers.ts";

/** One value of every type that JavaScript has. */
const VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ["undefined", undefined],
  ["null", null],
  ["true", true],
  ["0", 0],
  ["NaN", NaN],
  ["1n", 1n],
  ["a symbol", Symbol("x")],
  ["a function", () => {}],
  ["an object", {}],
  ["an array of bytes", [1, 2, 3]],
  ["a String object", new String("x")],
  ["a Date", new Date(0)],
  ["a Blob", new Blob(["x"])],
  ["a Map", new Map()],
  ["a promise", Promise.resolve("x")],
  ["an error", new Error("x")],
  ["a stream", new ReadableStream()],
  ["an object with length", { length: 1, 0: 1 }],
  ["an object that calls itself a Uint8Array", { [Symbol.toStringTag]: "Uint8Array", length: 1 }],
];

/** Every view of a buffer, with how many of its elements are 16 bytes. */
const VIEWS: readonly (readonly [
  View: { new (buffer: ArrayBuffer, at: number, length: number): ArrayBufferView<ArrayBuffer> },
  count: number,
])[] = [
  [Int8Array, 16],
  [Uint8Array, 16],
  [Uint8ClampedArray, 16],
  [Int16Array, 8],
  [Uint16Array, 8],
  [Int32Array, 4],
  [Uint32Array, 4],
  [Float32Array, 4],
  [Float64Array, 2],
  [BigInt64Array, 2],
  [BigUint64Array, 2],
  [DataView, 16],
];

describe("A-1 send()", () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);

  for (const [View, count] of VIEWS) {
    test(`sends the bytes of one ${(View as { name?: string }).name}, and only those`, async () => {
      const { client, server } = sessionPair();
      client.send(new View(bytes.slice().buffer, 8, count));
      assertEquals(await server.receive(), bytes.slice(8, 24));
      await Promise.all([client.close(), server.close()]);
    });
  }

  test("sends an ArrayBuffer, a SharedArrayBuffer's view and a view of a longer buffer", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set([1, 2, 3, 4, 5, 6, 7, 8]);
    const { session, peer } = sessionAndPeer("server");
    const sendables: unknown[] = [bytes.slice().buffer, shared.subarray(2, 4)];
    for (const value of sendables) session.send(value as Sendable).catch(() => {});
    session.close(1000);
    const payloads = decodeFrames("server", await readAll(peer, 66 + 4 + 4)).map((f) => f.payload);
    assertEquals(payloads.slice(0, 2), [bytes, Uint8Array.of(3, 4)]);
    assertEquals(Array.from(shared), [1, 2, 3, 4, 5, 6, 7, 8]);
    session.abort();
  });

  test("of anything else is a TypeError that leaves the session as it was", async () => {
    const { session, peer } = sessionAndPeer("server");
    for (const [name, value] of VALUES) {
      const error = await assertRejects(
        () => session.send(value as Sendable),
        TypeError,
        "Cannot",
        name,
      );
      assert(error.message.length < 200, error.message);
    }
    session.send("end");
    assertEquals(await readAll(peer, 5), Uint8Array.of(0x81, 3, 0x65, 0x6e, 0x64));
    session.abort();
  });

  test("replaces lone surrogates, as every encoder of UTF-8 does", async () => {
    const { session, peer } = sessionAndPeer("server");
    session.send("a\ud800b");
    assertEquals(await readAll(peer, 7), Uint8Array.of(0x81, 5, 0x61, 0xef, 0xbf, 0xbd, 0x62));
    session.abort();
  });
});

describe("A-1 close() and broadcast()", () => {
  test("close() of anything but a code and a reason rejects, and writes nothing", async () => {
    const { session, peer } = sessionAndPeer("server");
    const close = session.close.bind(session) as (
      code?: unknown,
      reason?: unknown,
    ) => Promise<unknown>;
    for (const [name, value] of VALUES) {
      if (value === undefined) continue;
      await assertRejects(() => close(value), Error, "", name);
      await assertRejects(() => close(1000, value), TypeError, "", name);
    }
    session.send("end");
    assertEquals((await readAll(peer, 5)).length, 5);
    session.abort();
  });

  test("broadcast() of what is no message throws a TypeError, and reaches nobody", async () => {
    await withServer({}, echo, async (server) => {
      const session = await connect(urlOf(server));
      for (const [, value] of VALUES) {
        assertThrows(() => server.broadcast(value as Sendable), TypeError, "Cannot");
      }
      session.send("end");
      assertEquals(await session.receive(), "end");
      await session.close();
    });
  });

  test("serve() and connect() of what is no options object rejects", async () => {
    for (const [name, value] of VALUES) {
      if (value === undefined) continue;
      await assertRejects(() => connect(value as string), TypeError, "", name);
    }
    for (const value of ["x", 1, null]) {
      await assertRejects(
        () => serve({ port: 0, protocols: value as never }, value as never),
        TypeError,
      );
    }
  });
});

describe("A-3 what could split a head", () => {
  const bad = ["a\rb", "a\nb", "a\r\nX: y", "a\0b", "\x7f", " a", "a ", "\ta"];

  test("in a client's header, origin, subprotocol or path is a TypeError, and nobody is dialled", async () => {
    // Nobody listens on port 1: to dial would be another error.
    const url = "ws://127.0.0.1:1/";
    for (const text of bad) {
      const options: ConnectOptions[] = [
        { headers: { "X-A": text } },
        { headers: { [text]: "x" } },
        { headers: { Cookie: text } },
        { origin: text },
        { protocols: [text] },
      ];
      for (const option of options) {
        await assertRejects(() => connect(url, option), TypeError, "", JSON.stringify(option));
      }
    }
    await assertRejects(() => connect(url, { protocols: ["é"] }), TypeError);
    await assertRejects(() => connect(url, { headers: { "X-A": "€" } }), TypeError);
  });

  test("in a server's header or subprotocol is a 500 that shows none of it", async () => {
    for (const text of bad) {
      const acceptances: Acceptance<unknown>[] = [
        { headers: { "X-A": text } },
        { headers: { [text]: "x" } },
        { headers: { "Set-Cookie": text } },
        { protocol: text },
      ];
      for (const acceptance of acceptances) {
        const errors: unknown[] = [];
        const options: ServeOptions = {
          accept: () => acceptance,
          onError: (error) => errors.push(error),
        };
        await withServer(options, echo, async (server) => {
          const peer = await RawPeer.connect(server.addr);
          const answer = await peer.exchange(requestWith(`Sec-WebSocket-Protocol: chat`));
          peer.close();
          assertEquals(answer.slice(0, 13), "HTTP/1.1 500 ", JSON.stringify(acceptance));
          assert(!/X: y|X-A|Set-Cookie/i.test(answer), answer);
          assert(errors.length === 1 && errors[0] instanceof TypeError, String(errors[0]));
        });
      }
    }
  });

  test("in a subprotocol of serve() is a TypeError", async () => {
    for (const text of [...bad, "", "a,b", "é"]) {
      await assertRejects(() => serve({ port: 0, protocols: [text] }, echo), TypeError);
    }
  });

  test("in a URL is encoded or refused, never sent as it is", async () => {
    await withServer({}, (session) => session.send(session.request.target), async (server) => {
      for (const text of ["a b", "é", "a\r\nX: y", "a\tb", "%0d%0a", "\0"]) {
        const session = await connect(urlOf(server, `/${text}`)).catch((error) => error);
        if (session instanceof TypeError) continue;
        const target = await session.receive();
        assert(/^\/[\x21-\x7e]*$/.test(target), target);
        assertEquals((await session.close(1000)).wasClean, true);
      }
    });
  });
});

describe("A-4 bytes that are shared", () => {
  test("one buffer sent to many arrives whole at each, and is not changed by masking", async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i);
    const copy = bytes.slice();
    const pairs = Array.from({ length: 10 }, () => sessionPair());
    for (const { client, server } of pairs) {
      client.send(bytes);
      server.send(bytes);
    }
    assertEquals(bytes, copy);
    bytes.fill(0); // all have been taken as they were
    for (const { client, server } of pairs) {
      assertEquals(await server.receive(), copy);
      assertEquals(await client.receive(), copy);
      await Promise.all([client.close(), server.close()]);
    }
  });

  test("a buffer that is transferred or detached behind send() makes no difference", async () => {
    const { client, server } = sessionPair();
    for (const size of [10, 100_000]) {
      const bytes = new Uint8Array(size).fill(7);
      client.send(bytes);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      assertEquals(bytes.length, 0);
      assertEquals(await server.receive(), new Uint8Array(size).fill(7));
    }
    await Promise.all([client.close(), server.close()]);
  });

  test("what a receiver does to a message changes no other", async () => {
    const { client, server } = sessionPair({ memory: { cut: () => 1000 } });
    const seen: Uint8Array[] = [];
    for (let i = 0; i < 50; i++) client.send(new Uint8Array(500).fill(i));
    for (let i = 0; i < 50; i++) {
      const message = await server.receive() as Uint8Array;
      assert(message.every((byte) => byte === i));
      new Uint8Array(message.buffer).fill(0xee);
      seen.push(message);
    }
    assert(seen.every((message) => message.every((byte) => byte === 0xee)));
    await Promise.all([client.close(), server.close()]);
  });
});

describe("A-5 calls from within calls", () => {
  test("send() in a message handler, for each of many messages, keeps the order", async () => {
    const { client } = sessionPair({
      handlers: {
        message(session, message) {
          session.send(`1 ${message}`);
          session.send(`2 ${message}`);
        },
      },
    });
    const received: unknown[] = [];
    for (let i = 0; i < 100; i++) client.send(`${i}`);
    for (let i = 0; i < 200; i++) received.push(await client.receive());
    assertEquals(received, Array.from({ length: 200 }, (_, i) => `${i % 2 + 1} ${i >> 1}`));
    await client.close();
  });

  test("broadcast() and shutdown() in a handler reach everybody once", async () => {
    let sessions = 0;
    const server = await serve({ port: 0 }, {
      open: (_, server) => {
        if (++sessions < 3) return;
        assertEquals(server.broadcast("all"), 3);
        void server.shutdown();
      },
    });
    const open: WebSocketSession[] = [];
    for (let i = 0; i < 3; i++) open.push(await connect(urlOf(server)));
    for (const session of open) {
      assertEquals([await session.receive(), await session.receive()], ["all", null]);
      assertEquals((await session.closed).code, 1001);
      await assertRejects(() => session.send("late"), ClosedError);
    }
    await server.finished;
  });

  test("what one session's handler throws does not reach another's", async () => {
    const errors: unknown[] = [];
    await withServer({ onError: (error) => errors.push(error) }, {
      message: (session, message) => {
        if (message === "boom") throw new Error("boom");
        return session.send(message);
      },
    }, async (server) => {
      const [bad, good] = [await connect(urlOf(server)), await connect(urlOf(server))];
      bad.send("boom");
      assertEquals((await bad.closed).code, 1011);
      good.send("still here");
      assertEquals(await good.receive(), "still here");
      await good.close();
      assertEquals(errors.map(String), ["Error: boom"]);
    });
  });
});

test("A-3 the base request opens a session where nothing is wrong", async () => {
  await withServer({}, echo, async (server) => {
    const peer = await RawPeer.connect(server.addr);
    assert((await peer.open(REQUEST)).startsWith("HTTP/1.1 101 "));
    peer.close();
  });
});
