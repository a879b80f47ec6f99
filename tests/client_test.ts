import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import {
  connect,
  type ConnectOptions,
  type Handler,
  HandshakeError,
  type Listener,
  serve,
  type TcpAddr,
  TimeoutError,
} from "../mod.ts";
import { acceptKey } from "../src/core/handshake.ts";
import { listen } from "../src/runtime/mod.ts";
import { latin1 } from "./latin1.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** A server that answers one connection with the bytes that `answer` makes of its key. */
async function withAnswer(
  answer: (accept: string) => string | string[] | null,
  run: (url: string, received: Promise<string>) => Promise<void>,
): Promise<void> {
  const listener: Listener = await listen({ hostname: "127.0.0.1", port: 0 });
  let tell!: (request: string) => void;
  const received = new Promise<string>((resolve) => tell = resolve);
  const serving = (async () => {
    const conn = await listener.accept();
    if (conn === null) return;
    let request = "";
    while (!request.includes("\r\n\r\n")) {
      const bytes = await conn.read();
      if (bytes === null) break;
      request += String.fromCharCode(...bytes);
    }
    tell(request);
    const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? "";
    const pieces = answer(
      `HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Accept: ${await acceptKey(key)}\r\n\r\n`,
    );
    if (pieces === null) return conn.close();
    for (const piece of [pieces].flat()) {
      await Promise.resolve(conn.write(latin1(piece))).catch(() => {});
    }
    while (await conn.read().catch(() => null) !== null);
    conn.close();
  })();
  try {
    await run(`ws://127.0.0.1:${(listener.addr as TcpAddr).port}/path?query`, received);
  } finally {
    listener.close();
    await serving;
  }
}

describe("connect()", () => {
  test("asks as RFC 6455 section 4.1 wants it, each time with another key", async () => {
    const keys = new Set<string>();
    for (let i = 0; i < 3; i++) {
      await withAnswer((accept) => accept, async (url, received) => {
        const session = await connect(url, {
          headers: { "X-A": "b" },
          origin: "https://a.example",
        });
        const request = await received;
        const { host } = new URL(url);
        assert(request.startsWith(`GET /path?query HTTP/1.1\r\nhost: ${host}\r\n`), request);
        for (
          const field of [
            "upgrade: websocket",
            "connection: Upgrade",
            "sec-websocket-version: 13",
            "x-a: b",
            "origin: https://a.example",
          ]
        ) {
          assertStringIncludes(request, `${field}\r\n`);
        }
        assert(!request.includes("sec-websocket-protocol"));
        keys.add(session.request.headers.get("sec-websocket-key")!);
        assertEquals(session.request.target, "/path?query");
        session.abort();
      });
    }
    assertEquals(keys.size, 3);
  });

  test("R-31 takes frames that come with the answer, cut anywhere", async () => {
    const frame = "\x81\x05hello";
    await withAnswer((accept) => accept + frame, async (url) => {
      const session = await connect(url);
      assertEquals(await session.receive(), "hello");
      session.abort();
    });
    await withAnswer((accept) => [...accept + frame], async (url) => {
      const session = await connect(url);
      assertEquals(await session.receive(), "hello");
      session.abort();
    });
  });

  test("R-13 skips up to 8 interim responses", async () => {
    const interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    await withAnswer((accept) => interim.repeat(4) + accept, async (url) => {
      (await connect(url)).abort();
    });
    await withAnswer((accept) => interim.repeat(5) + accept, async (url) => {
      await assertRejects(() => connect(url), HandshakeError, "more than 8 interim responses");
    });
  });

  for (
    const [what, answer, message] of [
      [
        "R-1 a wrong accept",
        (accept: string) => accept.replace("Accept: ", "Accept: A"),
        "does not belong",
      ],
      ["R-12 no HTTP at all", () => "SSH-2.0-x\r\n\r\n", "its first line"],
      [
        "R-20 a subprotocol unasked",
        (accept: string) => accept.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\r\n\r\n"),
        "subprotocol",
      ],
      ["R-43 an early end", () => null, "unanswered"],
    ] as [string, (accept: string) => string | null, string][]
  ) {
    test(`${what} fails`, async () => {
      await withAnswer(answer, async (url) => {
        const error = await assertRejects(() => connect(url), Error);
        if (!what.startsWith("R-43")) assertStringIncludes(error.message, message);
      });
    });
  }

  test("R-40 R-41 a refusal has status, headers and the beginning of its body", async () => {
    for (
      const [response, body] of [
        ["HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "none"],
        [
          "HTTP/1.1 503 \r\nTransfer-Encoding: chunked\r\nRetry-After: 5\r\n\r\n4\r\nbusy\r\n0\r\n\r\n",
          "busy",
        ],
        ["HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", ""],
        ["HTTP/1.1 204 No Content\r\n\r\n", ""],
        [
          `HTTP/1.1 500 \r\nContent-Length: 99999999\r\n\r\n${"x".repeat(70_000)}`,
          "x".repeat(65_536),
        ],
      ]
    ) {
      await withAnswer(() => response, async (url) => {
        const error = await assertRejects(() => connect(url), HandshakeError);
        assertEquals(error.status, Number(response.slice(9, 12)));
        assertEquals(new TextDecoder().decode(error.body), body);
        if (error.status === 302) assertEquals(new Map(error.headers).get("location"), "/other");
      });
    }
  });

  test("R-42 silence fails at handshakeTimeout", async () => {
    for (const part of ["", "HTTP/1.1 101 Sw"]) {
      await withAnswer(() => part, async (url) => {
        const start = performance.now();
        await assertRejects(
          () => connect(url, { handshakeTimeout: 100 }),
          TimeoutError,
          "The handshake took more than 100 ms (handshakeTimeout)",
        );
        const took = performance.now() - start;
        assert(took >= 95 && took < 1000, `${took}`);
      });
    }
  });

  test("a signal gives up connecting, and means nothing afterwards", async () => {
    await withAnswer(() => "", async (url, received) => {
      const controller = new AbortController();
      const connecting = connect(url, { signal: controller.signal });
      await received;
      controller.abort(new Error("never mind"));
      await assertRejects(() => connecting, Error, "never mind");
      await assertRejects(() => connect(url, { signal: controller.signal }), Error, "never mind");
    });
    await withAnswer((accept) => accept, async (url) => {
      const controller = new AbortController();
      const session = await connect(url, { signal: controller.signal });
      controller.abort();
      const state = await Promise.race([session.closed, Promise.resolve("open")]);
      assertEquals(state, "open");
      session.abort();
    });
  });

  test("a server that isn't there is the system's error", async () => {
    const listener = await listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as TcpAddr;
    listener.close();
    const error = await assertRejects(() => connect(`ws://127.0.0.1:${port}/`), Error);
    assertEquals(error.message, `Cannot connect to 127.0.0.1:${port}: connection refused`);
  });

  for (
    const [what, url, options] of [
      ["what is no URL", "nowhere", {}],
      ["another scheme", "ftp://127.0.0.1/", {}],
      ["a fragment", "ws://127.0.0.1/#x", {}],
      ["an empty fragment", "ws://127.0.0.1/#", {}],
      ["an unknown option", "ws://127.0.0.1/", { protocol: "x" }],
      ["a subprotocol that is no token", "ws://127.0.0.1/", { protocols: ["a b"] }],
      ["a header with a line end", "ws://127.0.0.1/", { headers: { a: "b\r\nc" } }],
    ] as [string, string, ConnectOptions][]
  ) {
    test(`A-3 ${what} is a TypeError`, async () => {
      await assertRejects(() => connect(url, options), TypeError);
    });
  }

  test("takes handlers in place of iteration, and data", async () => {
    const server = await serve({ port: 0 }, echo);
    const log: unknown[] = [];
    const session = await connect<string>(`ws://127.0.0.1:${(server.addr as TcpAddr).port}`, {
      data: "mine",
      handlers: {
        open: (session) => session.send("hello"),
        message: (session, message) => {
          log.push(session.data, message);
          session.close(1000);
        },
        close: (_, status) => log.push(status.code),
      },
    });
    await session.closed;
    await server.shutdown();
    assertEquals(log, ["mine", "hello", 1000]);
  });

  test("A-7 every frame has a fresh, unpredictable masking key", async () => {
    const keys: string[] = [];
    const server = await listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = server.addr as TcpAddr;
    const connecting = connect(`ws://127.0.0.1:${port}/`);
    const conn = (await server.accept())!;
    let head = "";
    while (!head.includes("\r\n\r\n")) head += String.fromCharCode(...(await conn.read())!);
    const key = /sec-websocket-key: (.*)\r\n/.exec(head)![1];
    await conn.write(latin1(
      `HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${await acceptKey(
        key,
      )}\r\n\r\n`,
    ));
    const session = await connecting;
    for (let i = 0; i < 4096; i++) session.send("");
    let frames = "";
    while (frames.length < 4096 * 6) frames += String.fromCharCode(...(await conn.read())!);
    for (let i = 0; i < 4096; i++) keys.push(frames.slice(i * 6 + 2, i * 6 + 6));
    assertEquals(new Set(keys).size > 4090, true);
    // Chi-square over the values of each octet: 255 degrees of freedom, 400 is beyond one in 10^7.
    for (let octet = 0; octet < 4; octet++) {
      const counts = new Array<number>(256).fill(0);
      for (const key of keys) counts[key.charCodeAt(octet)]++;
      const chi = counts.reduce((sum, count) => sum + (count - 16) ** 2 / 16, 0);
      assert(chi > 130 && chi < 400, `${chi}`);
    }
    session.abort();
    conn.close();
    server.close();
  });
});
