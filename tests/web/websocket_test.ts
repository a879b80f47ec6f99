/** The rules of the WHATWG's `WebSocket`, one by one, on the runtime that runs this file. @module */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { type Handler, HandshakeError, serve, type ServeOptions, type TcpAddr } from "../../mod.ts";
import { CloseEvent, setBaseURL, WebSocket, type WebSocketErrorEvent } from "../../src/web/mod.ts";
import { acceptKey } from "../../src/core/handshake.ts";
import { latin1 } from "../latin1.ts";
import { runExample } from "../programs.ts";
import { closing, logOf, next, thrownBy } from "./events.ts";
import { nowhere } from "./nowhere.ts";
import { type RawConnection, withRawServer } from "./raw_server.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** Runs against a server of ours. */
async function withServer(
  handler: Handler,
  run: (url: string) => Promise<void>,
  options: ServeOptions = {},
): Promise<void> {
  await using server = await serve({ port: 0, ...options }, handler);
  await run(`ws://127.0.0.1:${(server.addr as TcpAddr).port}/`);
}

const RUNTIME = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** Waits until something holds. */
async function settled(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  assert(holds(), "it does not come to hold");
}

const NOWHERE = await nowhere();

/** Fails before long, and is not looked at. */
function abandoned(...args: ConstructorParameters<typeof WebSocket>): WebSocket {
  return new WebSocket(...args);
}

describe("the constructor of WebSocket", () => {
  test("needs new and a URL", () => {
    const call = WebSocket as unknown as (url: string) => void;
    assertThrows(() => call(NOWHERE), TypeError);
    assertThrows(() => Reflect.construct(WebSocket, []), TypeError, "needs a URL");
    assertEquals(WebSocket.length, 1);
  });

  test("refuses what is no URL, another scheme and a fragment", () => {
    for (const url of ["", "/relative", "nonsense", "http//x", "wss://[::1", "ws://a b/"]) {
      assertEquals(thrownBy(() => abandoned(url)), "SyntaxError", url);
    }
    for (const url of ["ftp://a/", "about:blank", "mailto:a@b", "javascript:1"]) {
      assertEquals(thrownBy(() => abandoned(url)), "SyntaxError", url);
    }
    for (const url of ["ws://a/#", "ws://a/#x", "wss://a/?b#"]) {
      assertEquals(thrownBy(() => abandoned(url)), "SyntaxError", url);
    }
    assertInstanceOf(catchError(() => abandoned("")), DOMException);
  });

  test("takes http: and https: for ws: and wss:, and shows the URL as it was read", () => {
    for (
      const [given, shown] of [
        ["http://127.0.0.1:9/a", "ws://127.0.0.1:9/a"],
        ["https://127.0.0.1:9", "wss://127.0.0.1:9/"],
        ["WS://127.0.0.1:80/ä?ö", "ws://127.0.0.1/%C3%A4?%C3%B6"],
        ["ws://127.0.0.1:9/\ud800", "ws://127.0.0.1:9/%EF%BF%BD"],
      ]
    ) {
      const socket = abandoned(given);
      assertEquals(socket.url, shown);
      socket.close();
    }
    const socket = abandoned(new URL("ws://127.0.0.1:9/x"));
    assertEquals(socket.url, "ws://127.0.0.1:9/x");
    socket.close();
  });

  test("reads relative URLs where there is a base", () => {
    assertThrows(() => setBaseURL("nonsense"), TypeError);
    setBaseURL("http://127.0.0.1:9/dir/page");
    try {
      const socket = abandoned("../chat?x");
      assertEquals(socket.url, "ws://127.0.0.1:9/chat?x");
      socket.close();
    } finally {
      setBaseURL(null);
    }
    assertEquals(thrownBy(() => abandoned("/chat")), "SyntaxError");
  });

  test("sends the origin of the base URL, and the option's before it", async () => {
    const origins: string[] = [];
    await withRawServer(async (peer) => {
      origins.push(/^origin: (.*)\r$/im.exec(peer.request)?.[1] ?? "none");
      await peer.upgrade([], "\x88\x00");
    }, async (url) => {
      await closing(new WebSocket(url));
      setBaseURL("https://app.example/page");
      try {
        await closing(new WebSocket(url));
        await closing(new WebSocket(url, { origin: "https://other.example" }));
      } finally {
        setBaseURL(null);
      }
    });
    assertEquals(origins, ["none", "https://app.example", "https://other.example"]);
  });

  test("refuses subprotocols that are no tokens or not unique", () => {
    const wrong = ["", " ", "a b", "a,b", "ä", "a\u007f", "\0", ...'()<>@,;:\\"/[]?={}\t'];
    for (const protocol of wrong) {
      assertEquals(thrownBy(() => abandoned(NOWHERE, protocol)), "SyntaxError", protocol);
      assertEquals(thrownBy(() => abandoned(NOWHERE, ["a", protocol])), "SyntaxError", protocol);
    }
    assertEquals(thrownBy(() => abandoned(NOWHERE, ["echo", "eCho"])), "SyntaxError");
    assertEquals(thrownBy(() => abandoned(NOWHERE, { protocols: {} } as object)), "SyntaxError");
    // Options are converted before the URL is looked at.
    assertEquals(
      thrownBy(() => abandoned("nonsense", { limits: { maxMessageSize: 0 } })),
      "RangeError",
    );
    const noIterator = { [Symbol.iterator]: 1 } as unknown as string[];
    assertEquals(thrownBy(() => abandoned(NOWHERE, noIterator)), "TypeError");
  });

  test("takes a list, one name, nothing, or options", async () => {
    const offered: string[] = [];
    await withRawServer(async (peer) => {
      offered.push(/^sec-websocket-protocol: (.*)\r$/im.exec(peer.request)?.[1] ?? "none");
      const chosen = offered.at(-1)!.split(",")[0];
      await peer.upgrade(
        chosen === "none" ? [] : [`Sec-WebSocket-Protocol: ${chosen}`],
        "\x88\x00",
      );
    }, async (url) => {
      for (
        const protocols of [
          undefined,
          [],
          {},
          "soap",
          ["a", "b"],
          new Set(["a", "c"]),
          { protocols: "soap" },
          { protocols: ["x", "y"] },
          { protocols: undefined },
        ]
      ) {
        const socket = new WebSocket(url, protocols as string[]);
        await closing(socket);
        assertEquals(
          socket.protocol,
          offered.at(-1) === "none" ? "" : offered.at(-1)!.split(",")[0],
        );
      }
      const three = Reflect.construct(WebSocket, [url, "soap", { ignored: true }]) as WebSocket;
      await closing(three);
    });
    assertEquals(offered, [
      "none",
      "none",
      "none",
      "soap",
      "a, b",
      "a, c",
      "soap",
      "x, y",
      "none",
      "soap",
    ]);
  });

  test("tells wrong options at once", () => {
    const cases: [object, string][] = [
      [{ limits: { maxMessageSize: 0 } }, "limits.maxMessageSize"],
      [{ limit: {} }, 'Unknown option "limit"'],
      [{ handlers: {} }, 'Unknown option "handlers"'],
      [{ headers: { host: "x" } }, "host"],
      [{ signal: 1 }, "signal"],
    ];
    for (const [options, message] of cases) {
      const error = catchError(() => abandoned(NOWHERE, options)) as Error;
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assert(error.message.includes(message), error.message);
    }
  });

  test("reads inherited options, and takes undefined for the default", async () => {
    await withRawServer(async (peer) => {
      assert(peer.request.includes("x-a: b\r\n"), peer.request);
      assert(peer.request.includes("origin: https://app.example\r\n"), peer.request);
      assert(/^sec-websocket-extensions: /im.test(peer.request), peer.request);
      await peer.upgrade([], "\x88\x00");
    }, async (url) => {
      setBaseURL("https://app.example/");
      try {
        const options = Object.create({ headers: { "x-a": "b" } });
        Object.assign(options, { origin: undefined, compress: undefined, limits: undefined });
        await closing(new WebSocket(url, options));
      } finally {
        setBaseURL(null);
      }
    });
    const empty = { limits: null } as unknown as object;
    assertEquals(thrownBy(() => abandoned(NOWHERE, empty)), "TypeError");
  });

  test("adds header fields", async () => {
    await withRawServer(async (peer) => {
      assert(peer.request.includes("x-a: b\r\n"), peer.request);
      await peer.upgrade([], "\x88\x00");
    }, async (url) => {
      assertEquals(await closing(new WebSocket(url, { headers: { "x-a": "b" } })), [
        1005,
        "",
        true,
      ]);
    });
  });

  test("offers permessage-deflate as browsers do", async () => {
    await withRawServer(async (peer) => {
      const offer = /^sec-websocket-extensions: (.*)\r$/im.exec(peer.request)?.[1];
      assertEquals(offer, "permessage-deflate; client_max_window_bits");
      await peer.upgrade([], "\x88\x00");
    }, async (url) => void await closing(new WebSocket(url)));
  });

  test("connects to no port of another service", async () => {
    for (const port of [21, 25, 4190, 6679]) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      const log = logOf(socket);
      const failed = next<ErrorEvent>(socket, "error");
      assertEquals(await closing(socket), [1006, "", false]);
      assertEquals(log, ["error 3", "close 3"]);
      assertEquals((await failed).message, `Cannot connect: port ${port} is blocked`);
    }
  });

  test("sends a user name and a password as Authorization", async () => {
    await withRawServer(async (peer) => {
      assert(peer.request.includes(`authorization: Basic ${btoa("a:b c")}\r\n`), peer.request);
      await peer.upgrade([], "\x88\x00");
    }, async (url) => {
      const socket = new WebSocket(url.replace("ws://", "ws://a:b%20c@"));
      assertEquals(await closing(socket), [1005, "", true]);
    });
  });

  test("fails where nobody listens", async () => {
    const socket = new WebSocket(NOWHERE);
    const log = logOf(socket);
    assertEquals(await closing(socket), [1006, "", false]);
    assertEquals(log, ["error 3", "close 3"]);
  });

  test("tells of nothing before the current task is over", async () => {
    const socket = new WebSocket("ws://127.0.0.1:25/");
    let told = false;
    socket.onerror = () => told = true;
    for (let i = 0; i < 50; i++) await null;
    assertEquals(told, false);
    await closing(socket);
    assertEquals(told, true);
  });
});

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
}

describe("the shape of WebSocket", () => {
  test("constants stand on the class and its prototype", () => {
    const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
    for (const target of [WebSocket, WebSocket.prototype]) {
      for (const [name, value] of Object.entries(constants)) {
        assertEquals(Object.getOwnPropertyDescriptor(target, name), {
          value,
          writable: false,
          enumerable: true,
          configurable: false,
        });
      }
    }
  });

  test("members are enumerable accessors and methods of the prototype", () => {
    const accessors = {
      url: false,
      readyState: false,
      bufferedAmount: false,
      extensions: false,
      protocol: false,
      binaryType: true,
      onopen: true,
      onmessage: true,
      onerror: true,
      onclose: true,
    };
    for (const [name, canBeSet] of Object.entries(accessors)) {
      const property = Object.getOwnPropertyDescriptor(WebSocket.prototype, name)!;
      assertEquals(typeof property.get, "function", name);
      assertEquals(typeof property.set, canBeSet ? "function" : "undefined", name);
      assertEquals([property.enumerable, property.configurable], [true, true], name);
      assertThrows(() => property.get!.call({}), TypeError);
      for (const value of canBeSet ? ["blob", undefined] : []) {
        assertThrows(() => property.set!.call({}, value), TypeError);
      }
    }
    for (const [name, length] of Object.entries({ send: 1, close: 0 })) {
      const property = Object.getOwnPropertyDescriptor(WebSocket.prototype, name)!;
      assertEquals([property.enumerable, property.configurable, property.writable], [
        true,
        true,
        true,
      ]);
      assertEquals(property.value.length, length);
      assertEquals(property.value.name, name);
      assertThrows(() => property.value.call({}, ""), TypeError);
    }
    assertEquals(Object.prototype.toString.call(WebSocket.prototype), "[object WebSocket]");
    assertEquals("URL" in WebSocket.prototype, false);
    assertEquals(Object.getPrototypeOf(WebSocket), EventTarget);
  });

  test("attributes begin as the standard says", () => {
    const socket = abandoned(NOWHERE);
    assertEquals(
      [
        socket.readyState,
        socket.bufferedAmount,
        socket.extensions,
        socket.protocol,
        socket.binaryType,
      ],
      [0, 0, "", "", "blob"],
    );
    assertEquals([socket.onopen, socket.onmessage, socket.onerror, socket.onclose], [
      null,
      null,
      null,
      null,
    ]);
    socket.close();
  });

  test("binaryType ignores what it is not", () => {
    const socket = abandoned(NOWHERE);
    for (const wrong of ["", "Blob", "uint8array", null, 1]) {
      socket.binaryType = wrong as "blob";
      assertEquals(socket.binaryType, "blob");
    }
    socket.binaryType = "arraybuffer";
    assertEquals(socket.binaryType, "arraybuffer");
    socket.close();
  });

  test("event handlers keep their place until they are removed", () => {
    const socket = abandoned(NOWHERE);
    const log: string[] = [];
    socket.addEventListener("message", () => log.push("a"));
    socket.onmessage = () => log.push("handler");
    socket.addEventListener("message", () => log.push("b"));
    socket.onmessage = function (this: WebSocket) {
      assert(this === socket);
      log.push("other handler");
      return false;
    };
    socket.dispatchEvent(new Event("message"));
    socket.onmessage = null;
    socket.onmessage = () => log.push("last");
    socket.dispatchEvent(new Event("message"));
    assertEquals(log, ["a", "other handler", "b", "a", "b", "last"]);
    for (const wrong of [2, "x", undefined, true]) {
      socket.onmessage = wrong as unknown as null;
      assertEquals(socket.onmessage, null);
    }
    const object = {};
    socket.onmessage = object as unknown as null;
    assertEquals(socket.onmessage, object as unknown as null); // kept, and not called
    socket.dispatchEvent(new Event("message"));
    socket.close();
  });
});

describe("the opening of a WebSocket", () => {
  test("fires open once, with the agreement", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url, ["a", "b"]);
      const log = logOf(socket);
      assertEquals(socket.readyState, WebSocket.CONNECTING);
      const event = await next(socket, "open");
      assertEquals(
        [event.constructor === Event, event.bubbles, event.cancelable],
        [true, false, false],
      );
      assertEquals([socket.readyState, socket.protocol], [WebSocket.OPEN, "b"]);
      assertEquals(socket.extensions.startsWith("permessage-deflate"), true);
      socket.close();
      assertEquals(await closing(socket), [1005, "", true]);
      assertEquals(log, ["open 1", "close 3"]);
      assertEquals(socket.protocol, "b");
    }, { protocols: ["b"], compress: true });
  });

  test("fails where the server chooses no subprotocol of those offered", async () => {
    for (const chosen of [[], ["Sec-WebSocket-Protocol: A"], ["Sec-WebSocket-Protocol: c"]]) {
      await withRawServer((peer) => peer.upgrade(chosen), async (url) => {
        const socket = new WebSocket(url, "a");
        const log = logOf(socket);
        assertEquals(await closing(socket), [1006, "", false]);
        assertEquals(log, ["error 3", "close 3"]);
      });
    }
  });

  test("fails for a subprotocol or an extension unasked, and for anything but 101", async () => {
    for (const line of ["Sec-WebSocket-Protocol: x", "Sec-WebSocket-Extensions: x"]) {
      await withRawServer((peer) => peer.upgrade([line]), async (url) => {
        assertEquals(await closing(new WebSocket(url)), [1006, "", false]);
      });
    }
    for (const status of ["200 OK", "302 Found\r\nLocation: /", "401 Unauthorized"]) {
      await withRawServer(
        (peer) => peer.send(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`),
        async (url) => {
          const socket = new WebSocket(url);
          const error = next<ErrorEvent>(socket, "error");
          assertEquals(await closing(socket), [1006, "", false]);
          const event = await error;
          assertEquals(Object.prototype.toString.call(event), "[object Event]");
          assertInstanceOf(event.error, HandshakeError);
          assertEquals(event.error.status, Number(status.slice(0, 3)));
          assert(event.message.includes(status.slice(0, 3)), event.message);
        },
      );
    }
  });

  test("a signal gives up connecting, and does nothing afterwards", async () => {
    const controller = new AbortController();
    await withRawServer(() => new Promise((resolve) => setTimeout(resolve, 200)), async (url) => {
      const socket = new WebSocket(url, { signal: controller.signal });
      const failed = next<ErrorEvent>(socket, "error");
      setTimeout(() => controller.abort(new Error("enough")), 20);
      assertEquals(await closing(socket), [1006, "", false]);
      assertEquals((await failed).message, "enough");
    });
    await withServer(echo, async (url) => {
      const later = new AbortController();
      const socket = new WebSocket(url, { signal: later.signal });
      await next(socket, "open");
      later.abort();
      socket.send("still here");
      assertEquals((await next<MessageEvent>(socket, "message")).data, "still here");
      socket.close();
      await closing(socket);
    });
  });

  test("a Close that comes with the 101 is told behind open", async () => {
    await withRawServer((peer) => peer.upgrade([], "\x88\x04\x03\xe8hi"), async (url) => {
      const socket = new WebSocket(url);
      const log = logOf(socket);
      assertEquals(await closing(socket), [1000, "hi", true]);
      assertEquals(log, ["open 1", "close 3"]);
    });
  });
});

describe("messages of a WebSocket", () => {
  test("come as text, Blob or ArrayBuffer, by the type at that time", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      const receive = async (): Promise<unknown> =>
        (await next<MessageEvent>(socket, "message")).data;
      socket.send("ä€😀");
      assertEquals(await receive(), "ä€😀");
      socket.send(Uint8Array.of(1, 2, 3));
      const blob = await receive() as Blob;
      assertInstanceOf(blob, Blob);
      assertEquals([blob.type, [...await blob.bytes()]], ["", [1, 2, 3]]);
      socket.send(Uint8Array.of(4, 5));
      socket.binaryType = "arraybuffer";
      const buffer = await receive() as ArrayBuffer;
      assertInstanceOf(buffer, ArrayBuffer);
      assertEquals([...new Uint8Array(buffer)], [4, 5]);
      socket.close();
      await closing(socket);
    });
  });

  test("are MessageEvents of the server's origin", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(`${url}path?query`);
      await next(socket, "open");
      socket.send("x");
      const event = await next<MessageEvent>(socket, "message");
      assertInstanceOf(event, MessageEvent);
      assertEquals(
        [event.origin, event.lastEventId, event.source, event.ports.length, event.bubbles],
        [url.slice(0, -1), "", null, 0, false],
      );
      socket.close();
      await closing(socket);
    });
  });

  test("each is a task of its own: whoever waits for one can listen for the next", async () => {
    await withRawServer(
      (peer) => peer.upgrade([], "\x81\x01a\x81\x01b\x81\x01c\x88\x00"),
      async (url) => {
        const socket = new WebSocket(url);
        const seen: string[] = [];
        const receive = async (): Promise<string> => {
          const { data } = await next<MessageEvent>(socket, "message");
          await null;
          return data;
        };
        while (seen.length < 3) seen.push(await receive());
        assertEquals(seen, ["a", "b", "c"]);
        assertEquals(await closing(socket), [1005, "", true]);
      },
    );
  });

  test("that have arrived are told of before a reset is", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", async (head) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString())![1];
        const accept = `Sec-WebSocket-Accept: ${await acceptKey(key)}`;
        const lines = ["HTTP/1.1 101 ", "Upgrade: websocket", "Connection: Upgrade", accept];
        socket.write(latin1(`${lines.join("\r\n")}\r\n\r\n${"\x81\x01a".repeat(16)}`));
        setTimeout(() => socket.resetAndDestroy(), 5);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    let count = 0;
    socket.onmessage = () => {
      count++;
      for (const until = performance.now() + 2; performance.now() < until;);
    };
    assertEquals(await closing(socket), [1006, "", false]);
    assertEquals(count, 16);
    server.close();
  });

  test("error and close leave time between them", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      peer.conn.close();
    }, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "error");
      assertEquals(socket.readyState, WebSocket.CLOSED);
      await next(socket, "close");
    });
  });

  test("are dropped once the socket closes", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade([], "\x81\x01a");
      assertEquals(await peer.frame(), { opcode: 8, payload: "" });
      await peer.send("\x81\x01b\x88\x00");
    }, async (url) => {
      const socket = new WebSocket(url);
      const log = logOf(socket);
      socket.onmessage = () => socket.close();
      assertEquals(await closing(socket), [1005, "", true]);
      assertEquals(log, ["open 1", "message 1", "close 3"]);
    });
  });

  test("may have 64 MiB, and no more unless the option says so", async () => {
    const most = 67_108_864;
    const long: Handler = async (session) => {
      await session.send(new Uint8Array(session.request.target === "/" ? most : most + 1));
      await session.receive();
    };
    await withServer(long, async (url) => {
      const socket = new WebSocket(url);
      assertEquals(((await next<MessageEvent>(socket, "message")).data as Blob).size, most);
      socket.close();
      await closing(socket);
      const over = new WebSocket(`${url}more`);
      const failed = next<ErrorEvent>(over, "error");
      assertEquals(await closing(over), [1006, "", false]);
      assert((await failed).message.includes(`${most}`), (await failed).message);
      const strict = new WebSocket(url, { limits: { maxMessageSize: 1_048_576 } });
      const log = logOf(strict);
      assertEquals(await closing(strict), [1006, "", false]);
      assertEquals(log, ["open 1", "error 3", "close 3"]);
    });
  });

  test("what a listener throws stops neither others nor the socket", async () => {
    await withServer(echo, async (url) => {
      const script = "tests/fixtures/throwing_listener.ts";
      const { status, stdout, stderr } = await runExample(RUNTIME, script, [url]);
      assertEquals(status, 0, stderr);
      // When the error is told differs; that it is, and that all others hear, does not.
      assertEquals(stdout.trim().split("; ").sort(), [
        "closed 1000",
        "heard a",
        "heard b",
        "told of on purpose",
      ]);
    });
  });
});

/** A view whose buffer has gone elsewhere. */
function detached(): Uint8Array {
  const bytes = new Uint8Array(10);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/** A socket whose server is in the test's hands. */
async function opened(peer: RawConnection): Promise<RawConnection> {
  await peer.upgrade();
  return peer;
}

describe("send() of WebSocket", () => {
  test("throws while the socket connects, and without a message", async () => {
    const socket = abandoned(NOWHERE);
    assertThrows(() => socket.send("x"), DOMException, "connecting");
    assertEquals(thrownBy(() => socket.send("x")), "InvalidStateError");
    assertThrows(() => Reflect.apply(socket.send, socket, []), TypeError);
    assertEquals(socket.bufferedAmount, 0);
    socket.close();
    await closing(socket);
  });

  test("sends bytes of buffers and exactly the slice of views", async () => {
    const buffer = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;
    const messages = [
      buffer,
      new Uint8Array(buffer, 2, 3),
      new DataView(buffer, 1, 2),
      new Uint16Array(buffer, 2, 2),
      new Float64Array(buffer),
      new Uint8Array(0),
    ];
    await withRawServer(async (peer) => {
      await opened(peer);
      const payloads: number[][] = [];
      for (let i = 0; i < messages.length; i++) {
        const { opcode, payload } = await peer.frame();
        assertEquals(opcode, 2);
        payloads.push(Array.from(payload, (char) => char.charCodeAt(0)));
      }
      const all = [0, 1, 2, 3, 4, 5, 6, 7];
      assertEquals(payloads, [all, [2, 3, 4], [1, 2], [2, 3, 4, 5], all, []]);
      await peer.send("\x88\x00");
    }, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      for (const message of messages) socket.send(message);
      assertEquals(await closing(socket), [1005, "", true]);
    });
  });

  test("sends everything else as text, lone surrogates as U+FFFD", async () => {
    const values: unknown[] = [null, undefined, {}, 1, true, ["a", "b"], "\ud800x", ""];
    const texts = [
      "null",
      "undefined",
      "[object Object]",
      "1",
      "true",
      "a,b",
      "\u00ef\u00bf\u00bdx",
      "",
    ];
    await withRawServer(async (peer) => {
      await opened(peer);
      for (const text of texts) assertEquals(await peer.frame(), { opcode: 1, payload: text });
      await peer.send("\x88\x00");
    }, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      for (const value of values) socket.send(value as string);
      assertThrows(() => socket.send(Symbol("x") as unknown as string), TypeError);
      assertEquals(await closing(socket), [1005, "", true]);
    });
  });

  test("refuses shared memory and buffers that can be resized", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      const shared = new SharedArrayBuffer(4);
      const resizable = new ArrayBuffer(4, { maxByteLength: 8 });
      for (const wrong of [shared, new Uint8Array(shared), resizable, new DataView(resizable)]) {
        assertThrows(() => socket.send(wrong as ArrayBuffer), TypeError);
      }
      assertEquals(socket.bufferedAmount, 0);
      socket.close();
      await closing(socket);
    });
  });

  test("takes the bytes as they are at the call", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      await next(socket, "open");
      const bytes = Uint8Array.of(1, 2, 3);
      socket.send(new Blob(["first"])); // the next one waits for it
      socket.send(bytes);
      bytes.fill(9);
      await next(socket, "message");
      const { data } = await next<MessageEvent>(socket, "message");
      assertEquals([...new Uint8Array(data)], [1, 2, 3]);
      socket.close();
      await closing(socket);
    });
  });

  test("is bounded by limits.maxSendBacklog behind a Blob, too", async () => {
    class NeverRead extends Blob {
      override arrayBuffer(): Promise<ArrayBuffer> {
        return new Promise(() => {});
      }
    }
    for (const [text, least, most] of [["x".repeat(1000), 8, 12], ["", 100, 200]] as const) {
      await withRawServer(async (peer) => {
        await opened(peer);
        await peer.receive(); // up to its end
      }, async (url) => {
        const socket = new WebSocket(url, { limits: { maxSendBacklog: 10_000 } });
        await next(socket, "open");
        socket.send(new NeverRead(["blob"]));
        const failure = next<WebSocketErrorEvent>(socket, "error");
        const end = closing(socket);
        let isOver = false;
        void failure.then(() => isOver = true);
        let count = 0;
        while (!isOver && count < 1000) {
          socket.send(text);
          count++;
          if (count > least) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        assert(count > least && count < most + 50, `${count} messages`);
        assertStringIncludes((await failure).message!, "limits.maxSendBacklog");
        assertEquals((await end)[0], 1006);
      });
    }
  });

  test("that ends the connection leaves it open for messages that have come before", async () => {
    await withRawServer(async (peer) => {
      await opened(peer);
      await peer.send("\x81\x011\x81\x012\x81\x013");
      await peer.receive(); // up to its end
    }, async (url) => {
      const socket = new WebSocket(url, { limits: { maxSendBacklog: 10 } });
      const log = logOf(socket);
      socket.onmessage = () =>
        queueMicrotask(() => { // all three have come
          for (let i = 0; i < 3; i++) socket.send("x".repeat(2000));
        });
      await closing(socket);
      assertEquals(log, ["open 1", "message 1", "message 1", "message 1", "error 3", "close 3"]);
    });
  });

  test("keeps the order of Blobs, other messages and the Close", async () => {
    await withRawServer(async (peer) => {
      await opened(peer);
      const seen: [number, string][] = [];
      for (let i = 0; i < 5; i++) {
        const { opcode, payload } = await peer.frame();
        seen.push([opcode, payload]);
      }
      assertEquals(seen, [[1, "a"], [2, "blob"], [1, "b"], [2, "blob 2"], [8, "\x03\xe8end"]]);
      await peer.send("\x88\x00");
    }, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      socket.send("a");
      socket.send(new Blob(["blob"]));
      socket.send("b");
      socket.send(new Blob(["blob", " 2"]));
      assertEquals(socket.bufferedAmount, 12);
      socket.close(1000, "end");
      assertEquals(socket.readyState, WebSocket.CLOSING);
      assertEquals(await closing(socket), [1005, "", true]);
      assertEquals(socket.bufferedAmount, 0);
    });
  });
});

describe("bufferedAmount of WebSocket", () => {
  test("keeps what there was no room for", async () => {
    await withRawServer(async (peer) => {
      await peer.upgrade();
      await peer.receive();
    }, async (url) => {
      const socket = new WebSocket(url, { limits: { maxSendBacklog: 100 } });
      await next(socket, "open");
      const amounts: number[] = [];
      for (let i = 0; i < 4; i++) {
        socket.send("x".repeat(60));
        amounts.push(socket.bufferedAmount);
      }
      assertEquals(amounts, [60, 120, 180, 240]);
      assertEquals((await closing(socket))[0], 1006);
      assertEquals(socket.bufferedAmount, 240);
    });
  });

  test("counts the bytes of UTF-8 or the buffer until the task is over", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url, { compress: false });
      await next(socket, "open");
      let expected = 0;
      for (
        const [message, size] of [
          ["hello", 5],
          ["ä€😀", 9],
          ["\ud800", 3],
          [new Uint8Array(100), 100],
          [new ArrayBuffer(3), 3],
          [detached(), 0],
          [{ [Symbol.toStringTag]: "ArrayBuffer" }, 20],
          ["", 0],
          [new Blob(["12345"]), 5],
          ["x".repeat(2000), 2000],
        ] as [string, number][]
      ) {
        socket.send(message);
        expected += size;
        assertEquals(socket.bufferedAmount, expected);
      }
      await null; // still the same task
      assertEquals(socket.bufferedAmount, expected);
      await settled(() => socket.bufferedAmount === 0);
      socket.close();
      await closing(socket);
    });
  });

  test("grows on once the socket closes, and never falls", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      socket.close();
      socket.send("12345");
      assertEquals(socket.bufferedAmount, 5);
      await closing(socket);
      assertEquals(socket.bufferedAmount, 5);
      socket.send(new Uint8Array(10));
      socket.send(new Blob(["abc"]));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(socket.bufferedAmount, 18);
    });
  });

  test("keeps what a lost connection did not take", async () => {
    await withRawServer(async (peer) => {
      await opened(peer);
      await new Promise((resolve) => setTimeout(resolve, 100));
      peer.conn.close(); // read nothing
    }, async (url) => {
      const socket = new WebSocket(url, { compress: false });
      await next(socket, "open");
      for (let i = 0; i < 15; i++) socket.send(new Uint8Array(1_000_000));
      const [code, , wasClean] = await closing(socket);
      assertEquals([code, wasClean], [1006, false]);
      const { bufferedAmount } = socket;
      assert(bufferedAmount > 1_000_000, `${bufferedAmount}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(socket.bufferedAmount, bufferedAmount);
    });
  });
});

describe("close() of WebSocket", () => {
  test("refuses other codes than 1000 and 3000 to 4999, and long reasons", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      const check = (): void => {
        for (
          const code of [0, 999, 1001, 1005, 2999, 5000, 65_535, NaN, "string", null, 66_536, -1]
        ) {
          assertEquals(
            thrownBy(() => socket.close(code as number)),
            "InvalidAccessError",
            `${code}`,
          );
        }
        assertEquals(thrownBy(() => socket.close(1000, "x".repeat(124))), "SyntaxError");
        assertEquals(thrownBy(() => socket.close(1000, "ä".repeat(62))), "SyntaxError");
        assertEquals(thrownBy(() => socket.close(999, "x".repeat(124))), "InvalidAccessError");
        assertThrows(() => socket.close(1n as unknown as number), TypeError);
      };
      check();
      assertEquals(socket.readyState, WebSocket.CONNECTING);
      await next(socket, "open");
      check();
      assertEquals(socket.readyState, WebSocket.OPEN);
      socket.close(1000, "x".repeat(123));
      await closing(socket);
      check(); // also when it is closed
      socket.close(); // and that does nothing
    });
  });

  test("sends the code and reason that it is given", async () => {
    for (
      const [args, payload] of [
        [[], ""],
        [[undefined], ""],
        [[1000], "\x03\xe8"],
        [["1000"], "\x03\xe8"],
        [[1000.4], "\x03\xe8"],
        [[4999, "ö"], "\x13\x87\u00c3\u00b6"],
        [[3000, "\ud800"], "\x0b\xb8\u00ef\u00bf\u00bd"],
        [[undefined, "x"], "\x03\xe8x"],
        [[3000, null], "\x0b\xb8null"],
      ] as [[number?, string?], string][]
    ) {
      await withRawServer(async (peer) => {
        await opened(peer);
        assertEquals(await peer.frame(), { opcode: 8, payload });
        await peer.send("\x88\x04\x10\x7eok");
      }, async (url) => {
        const socket = new WebSocket(url);
        await next(socket, "open");
        socket.close(...args);
        assertEquals(socket.readyState, WebSocket.CLOSING);
        assertEquals(await closing(socket), [4222, "ok", true]);
      });
    }
  });

  test("while connecting fails the connection, and tells so later", async () => {
    await withRawServer(async (peer) => {
      await peer.receive(); // up to its end
    }, async (url) => {
      const socket = new WebSocket(url);
      const log = logOf(socket);
      socket.close();
      assertEquals(socket.readyState, WebSocket.CLOSING);
      assertEquals(log, []);
      assertEquals(await closing(socket), [1006, "", false]);
      assertEquals(log, ["error 3", "close 3"]);
    });
  });

  test("a peer's Close makes the socket CLOSING, then CLOSED before its event", async () => {
    await withRawServer(async (peer) => {
      await opened(peer);
      await peer.send("\x81\x01a\x88\x05\x0f\xa0\u00ef\u00bb\u00bf");
      assertEquals(await peer.frame(), { opcode: 8, payload: "\x0f\xa0" });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }, async (url) => {
      const socket = new WebSocket(url);
      const log = logOf(socket);
      const end = closing(socket);
      await settled(() => socket.readyState === WebSocket.CLOSING);
      assertEquals(log, ["open 1", "message 1"]);
      assertEquals(await end, [4000, "\ufeff", true]);
      assertEquals(log, ["open 1", "message 1", "close 3"]);
    });
  });

  test("a fault of the peer, or its sudden end, is an error and 1006", async () => {
    for (
      const [bytes, answer] of [
        ["\x81\x01\xff", "\x03\xef"],
        ["\xc1\x00", "\x03\xea"],
        ["", ""],
      ]
    ) {
      await withRawServer(async (peer) => {
        await opened(peer);
        await peer.send(bytes);
        if (bytes === "") return peer.conn.close();
        const { opcode, payload } = await peer.frame();
        assertEquals([opcode, payload.slice(0, 2)], [8, answer]);
      }, async (url) => {
        const socket = new WebSocket(url);
        const log = logOf(socket);
        assertEquals(await closing(socket), [1006, "", false]);
        assertEquals(log, ["open 1", "error 3", "close 3"]);
      });
    }
  });

  test("close is a CloseEvent, and comes once", async () => {
    await withServer(echo, async (url) => {
      const socket = new WebSocket(url);
      await next(socket, "open");
      let count = 0;
      socket.onclose = () => count++;
      socket.close(3000, "x");
      const event = await next<CloseEvent>(socket, "close");
      assertInstanceOf(event, CloseEvent);
      assertEquals([event.bubbles, event.cancelable], [false, false]);
      assertEquals("initCloseEvent" in event, false);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assertEquals(count, 1);
    });
  });
});
