/** WebSocketStream and WebSocketError, on the runtime that runs this file. @module */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { type Handler, serve, type ServeOptions, type TcpAddr } from "../../mod.ts";
import { WebSocketError, WebSocketStream } from "../../src/web/mod.ts";
import { thrownBy } from "./events.ts";
import { nowhere } from "./nowhere.ts";
import { withRawServer } from "./raw_server.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

const NOWHERE = await nowhere();

async function withServer(
  handler: Handler,
  run: (url: string) => Promise<void>,
  options: ServeOptions = {},
): Promise<void> {
  await using server = await serve({ port: 0, ...options }, handler);
  await run(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`);
}

/** Why a promise rejects. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not reject");
}

function make(...args: unknown[]): WebSocketStream {
  return Reflect.construct(WebSocketStream, args) as WebSocketStream;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe("the constructor of WebSocketStream", () => {
  test("needs a URL, and refuses what WebSocket refuses", () => {
    assertThrows(() => make(), TypeError);
    for (const url of ["", "nonsense", "ftp://a/", "ws://a/#"]) {
      assertEquals(thrownBy(() => make(url)), "SyntaxError", url);
    }
    for (const protocols of [[""], ["a b"], ["a", "A"]]) {
      assertEquals(thrownBy(() => make(NOWHERE, { protocols })), "SyntaxError");
    }
    for (const options of [true, 1, "x", { protocols: "hi" }, { signal: {} }, { protocols: 1 }]) {
      assertThrows(() => make(NOWHERE, options), TypeError);
    }
    assertEquals(make("http://127.0.0.1:25/").url, "ws://127.0.0.1:25/");
  });

  test("members are enumerable, getters want their own object", async () => {
    for (const name of ["url", "opened", "closed"]) {
      const property = Object.getOwnPropertyDescriptor(WebSocketStream.prototype, name)!;
      assertEquals([property.enumerable, property.set], [true, undefined]);
      if (name === "url") assertThrows(() => property.get!.call({}), TypeError);
      else assertInstanceOf(await reasonOf(property.get!.call({})), TypeError, name);
    }
    assertEquals(WebSocketStream.length, 1);
    assertEquals(WebSocketStream.prototype.close.length, 0);
    assertEquals(
      Object.prototype.toString.call(WebSocketStream.prototype),
      "[object WebSocketStream]",
    );
  });
});

describe("the opening of a WebSocketStream", () => {
  test("resolves with two streams and the agreement", async () => {
    await withServer(echo, async (url) => {
      const stream = new WebSocketStream(url, { protocols: ["a", "b"] });
      const { readable, writable, protocol, extensions } = await stream.opened;
      assertInstanceOf(readable, ReadableStream);
      assertInstanceOf(writable, WritableStream);
      assertEquals([protocol, extensions], ["b", ""]);
      stream.close();
      assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
    }, { protocols: ["b"] });
  });

  test("rejects opened and closed with one WebSocketError if it fails", async () => {
    for (const url of [NOWHERE, "ws://127.0.0.1:25/"]) {
      const stream = new WebSocketStream(url);
      const error = await reasonOf(stream.opened);
      assertInstanceOf(error, WebSocketError);
      assertInstanceOf(error.cause, Error);
      assert(await reasonOf(stream.closed) === error);
    }
    await withServer(echo, async (url) => {
      await assertRejects(
        () => new WebSocketStream(url, { protocols: ["a"] }).opened,
        WebSocketError,
      );
    });
  });

  test("close() while it opens is a WebSocketError for both", async () => {
    await withRawServer(async (peer) => void await peer.receive(), async (url) => {
      const stream = new WebSocketStream(url);
      stream.close({ closeCode: 1000 });
      const error = await reasonOf(stream.opened);
      assertInstanceOf(error, WebSocketError);
      assert(await reasonOf(stream.closed) === error);
    });
  });

  test("a signal that is aborted already makes no connection", async () => {
    let count = 0;
    await withRawServer((peer) => {
      count++;
      return peer.upgrade();
    }, async (url) => {
      const reason = new Error("enough");
      const stream = new WebSocketStream(url, { signal: AbortSignal.abort(reason) });
      assert(await reasonOf(stream.opened) === reason);
      assert(await reasonOf(stream.closed) === reason);
      await pause(30);
      assertEquals(count, 0);
    });
  });

  test("a signal gives up opening, and does nothing afterwards", async () => {
    await withRawServer(async (peer) => void await peer.receive(), async (url) => {
      const controller = new AbortController();
      const stream = new WebSocketStream(url, { signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      const error = await reasonOf(stream.opened) as Error;
      assertEquals(error.name, "AbortError");
      assert(await reasonOf(stream.closed) === error);
    });
    await withServer(echo, async (url) => {
      const controller = new AbortController();
      const stream = new WebSocketStream(url, { signal: controller.signal });
      const { readable, writable } = await stream.opened;
      controller.abort();
      await writable.getWriter().write("x");
      assertEquals((await readable.getReader().read()).value, "x");
      stream.close();
      await stream.closed;
    });
  });
});

describe("the streams of a WebSocketStream", () => {
  test("carry one message a chunk: text as strings, binary as Uint8Arrays", async () => {
    await withServer(echo, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable, writable } = await stream.opened;
      const writer = writable.getWriter();
      const reader = readable.getReader();
      const buffer = Uint8Array.of(1, 2, 3, 4).buffer;
      for (
        const [chunk, echoed] of [
          ["ä", "ä"],
          ["", ""],
          [buffer, Uint8Array.of(1, 2, 3, 4)],
          [new DataView(buffer, 1, 2), Uint8Array.of(2, 3)],
          [1, "1"],
          [null, "null"],
          ["\ud800", "\ufffd"],
        ]
      ) {
        await writer.write(chunk as string);
        const { value } = await reader.read();
        assertEquals(value, echoed as string);
        if (typeof value !== "string") assert(value!.constructor === Uint8Array);
      }
      stream.close({ closeCode: 3000, reason: "x" });
      assertEquals(await reader.read(), { done: true, value: undefined });
      assertEquals(await stream.closed, { closeCode: 3000, reason: "" });
    });
  });

  test("a chunk that can't be sent errors the writable stream", async () => {
    await withServer(echo, async (url) => {
      for (
        const wrong of [
          Symbol("x"),
          new ArrayBuffer(1, { maxByteLength: 2 }),
          new SharedArrayBuffer(1),
        ]
      ) {
        const stream = new WebSocketStream(url);
        const { writable } = await stream.opened;
        const writer = writable.getWriter();
        await assertRejects(() => writer.write(wrong as unknown as string), TypeError);
        await assertRejects(() => writer.closed, TypeError);
        stream.close();
        await stream.closed;
      }
    });
  });

  test("reading waits for the reader: a message or two ahead, then the sockets fill", async () => {
    let sent = 0;
    const sender: Handler = async (session) => {
      for (; sent < 16; sent++) await session.send(new Uint8Array(1_048_576));
    };
    await withServer(sender, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable } = await stream.opened;
      await pause(300);
      assert(sent < 12, `${sent} MiB were taken`);
      let count = 0;
      for await (const _ of readable) count++;
      assertEquals(count, 16);
      assertEquals((await stream.closed).closeCode, 1000);
    });
  });

  test("a Close is answered though a message is unread", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade([], "\x81\x01a\x88\x02\x03\xe8");
      assertEquals(await peer.frame(), { opcode: 8, payload: "\x03\xe8" });
    }, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable } = await stream.opened;
      assertEquals(await stream.closed, { closeCode: 1000, reason: "" });
      const reader = readable.getReader();
      assertEquals((await reader.read()).value, "a");
      assertEquals((await reader.read()).done, true);
    });
  });

  test("a lost connection is told of though a message is unread", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade([], "\x81\x01a");
      peer.conn.close();
    }, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable, writable } = await stream.opened;
      const error = await reasonOf(stream.closed);
      assert(await reasonOf(readable.getReader().closed) === error);
      assert(await reasonOf(writable.getWriter().closed) === error);
    });
  });

  test("writing waits for the peer", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      await pause(400); // and from then on it reads
    }, async (url) => {
      const stream = new WebSocketStream(url, { compress: false });
      const { writable } = await stream.opened;
      const writer = writable.getWriter();
      const started = performance.now();
      await writer.write(new Uint8Array(8_388_608));
      const took = performance.now() - started;
      assert(took > 300, `it took ${took} ms`);
      writer.abort().catch(() => {});
    });
  });

  test("aborting does not wait for a write that does not end", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      await pause(1000);
    }, async (url) => {
      const stream = new WebSocketStream(url, { compress: false, closeTimeout: 100 });
      const { writable } = await stream.opened;
      const writer = writable.getWriter();
      const write = reasonOf(writer.write(new Uint8Array(20_000_000)));
      await pause(50);
      const started = performance.now();
      const aborted = writer.abort(new WebSocketError("m", { closeCode: 3000 })).catch(() => {});
      await Promise.all([write, aborted]);
      assert(performance.now() - started < 800);
      assertInstanceOf(await reasonOf(stream.closed), WebSocketError);
    });
  });

  test("a clean end closes readable and errors writable with InvalidStateError", async () => {
    const handler: Handler = (session) => void session.close(4321, "ciao");
    await withServer(handler, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable, writable } = await stream.opened;
      assertEquals(await stream.closed, { closeCode: 4321, reason: "ciao" });
      assertEquals(await readable.getReader().read(), { done: true, value: undefined });
      const error = await reasonOf(writable.getWriter().write("x")) as DOMException;
      assertInstanceOf(error, DOMException);
      assertEquals(error.name, "InvalidStateError");
    });
  });

  test("an end without a Close is one WebSocketError for all", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      peer.conn.close();
    }, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable, writable } = await stream.opened;
      const error = await reasonOf(stream.closed) as WebSocketError;
      assertInstanceOf(error, WebSocketError);
      assertEquals([error.closeCode, error.reason], [1006, ""]);
      assert(await reasonOf(readable.getReader().read()) === error);
      assert(await reasonOf(writable.getWriter().write("x")) === error);
    });
  });

  test("closing writable sends an empty Close and waits for the peer's", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      assertEquals(await peer.frame(), { opcode: 8, payload: "" });
      await pause(200);
      await peer.send("\x88\x02\x0b\xb9");
    }, async (url) => {
      const stream = new WebSocketStream(url);
      const { writable } = await stream.opened;
      const started = performance.now();
      await writable.close();
      assert(performance.now() - started > 150);
      assertEquals(await stream.closed, { closeCode: 3001, reason: "" });
    });
  });

  test("cancelling and aborting send the code of a WebSocketError, and none for others", async () => {
    for (
      const [reason, payload] of [
        [undefined, ""],
        [new Error("x"), ""],
        [new WebSocketError("m", { closeCode: 3333, reason: "r" }), "\x0d\x05r"],
        [new WebSocketError("m", { reason: "r" }), "\x03\xe8r"],
        [new WebSocketError("m"), ""],
      ] as [unknown, string][]
    ) {
      for (const how of ["cancel", "abort"] as const) {
        await withRawServer(async (peer) => {
          await peer.upgrade();
          assertEquals(await peer.frame(), { opcode: 8, payload });
          await peer.send("\x88\x00");
        }, async (url) => {
          const stream = new WebSocketStream(url);
          const { readable, writable } = await stream.opened;
          await (how === "cancel" ? readable.cancel(reason) : writable.abort(reason));
          assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
        });
      }
    }
  });

  test("close() refuses what WebSocket.close() refuses", async () => {
    await withServer(echo, async (url) => {
      const stream = new WebSocketStream(url);
      await stream.opened;
      const close = (info: unknown): void => Reflect.apply(stream.close, stream, [info]);
      for (const closeCode of [0, 999, 1001, 2999, 5000]) {
        assertEquals(thrownBy(() => close({ closeCode })), "InvalidAccessError");
      }
      assertEquals(
        thrownBy(() => close({ closeCode: 1000, reason: "x".repeat(124) })),
        "SyntaxError",
      );
      for (
        const info of [true, 1, "x", { closeCode: -1 }, { closeCode: 65_536 }, { closeCode: "x" }]
      ) {
        assertEquals(thrownBy(() => close(info)), "TypeError");
      }
      close({ reason: "only" });
      assertEquals(await stream.closed, { closeCode: 1000, reason: "" });
    });
  });

  test("a peer's Close while writes wait is no clean end", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      await pause(50);
      await peer.send("\x88\x02\x0b\xb9");
      await pause(200);
    }, async (url) => {
      const stream = new WebSocketStream(url, { compress: false, closeTimeout: 100 });
      const { writable } = await stream.opened;
      const writer = writable.getWriter();
      const write = reasonOf(writer.write(new Uint8Array(15_000_000)));
      const error = await reasonOf(stream.closed) as WebSocketError;
      assertInstanceOf(error, WebSocketError);
      assertEquals(error.closeCode, 3001);
      const late = await write as DOMException;
      assertInstanceOf(late, DOMException);
      assertEquals(late.name, "InvalidStateError");
      assert(await reasonOf(writer.closed) === late);
    });
  });

  test("a Close right behind the 101 comes after what is written when opened resolves", async () => {
    let received = 0;
    await withRawServer(async (peer) => {
      await peer.upgrade([], "\x88\x02\x0b\xb9");
      for (let bytes = await peer.conn.read(); bytes !== null; bytes = await peer.conn.read()) {
        received += bytes.length;
        if (received > 15_000_000) break;
      }
    }, async (url) => {
      const stream = new WebSocketStream(url, { compress: false });
      const { readable, writable } = await stream.opened;
      const writer = writable.getWriter();
      const write = reasonOf(writer.write(new Uint8Array(15_000_000)));
      const error = await reasonOf(stream.closed) as WebSocketError;
      assertInstanceOf(error, WebSocketError);
      assertEquals([error.closeCode, error.message], [
        3001,
        "The server closed the connection while a message was being written",
      ]);
      const late = await write as DOMException;
      assertEquals(late.name, "InvalidStateError");
      assert(await reasonOf(writer.write("more")) === late);
      assert(await reasonOf(readable.getReader().read()) === error);
    });
    assert(received > 15_000_000, `the server received ${received} bytes`);
  });

  test("a short write that the peer's Close meets is no reason to complain", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade([], "\x88\x02\x0b\xb9");
      await peer.receive(6 + 3 + 6 + 2);
    }, async (url) => {
      const stream = new WebSocketStream(url);
      const { writable } = await stream.opened;
      await writable.getWriter().write("bye");
      assertEquals(await stream.closed, { closeCode: 3001, reason: "" });
    });
  });
});

describe("WebSocketError", () => {
  test("is a DOMException with a code and a reason", () => {
    const error = new WebSocketError();
    assertInstanceOf(error, DOMException);
    assertEquals([error.name, error.message, error.code, error.closeCode, error.reason], [
      "WebSocketError",
      "",
      0,
      null,
      "",
    ]);
    const full = new WebSocketError("m", { closeCode: 4999, reason: "ä" });
    assertEquals([full.message, full.closeCode, full.reason], ["m", 4999, "ä"]);
    assertEquals(new WebSocketError("m", { reason: "r" }).closeCode, 1000);
    assertEquals(thrownBy(() => new WebSocketError("", { closeCode: 1005 })), "InvalidAccessError");
    assertEquals(
      thrownBy(() => new WebSocketError("", { closeCode: 1000, reason: "x".repeat(124) })),
      "SyntaxError",
    );
    assertEquals(Object.prototype.toString.call(error), "[object WebSocketError]");
  });
});

describe("the streams of a session", () => {
  test("echo on a server by piping one into the other", async () => {
    let isPiped = false;
    const piped: Handler = async (session) => {
      assert(session.readable === session.readable && session.writable === session.writable);
      await session.readable.pipeTo(session.writable);
      isPiped = true;
    };
    await withServer(piped, async (url) => {
      const stream = new WebSocketStream(url);
      const { readable, writable } = await stream.opened;
      const writer = writable.getWriter();
      const reader = readable.getReader();
      for (const message of ["a", "b", "c"]) {
        await writer.write(message);
        assertEquals((await reader.read()).value, message);
      }
      stream.close({ closeCode: 3000 });
      assertEquals((await stream.closed).closeCode, 3000);
      await pause(10);
      assert(isPiped);
    });
  });
});
