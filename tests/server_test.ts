import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describe, test } from "node:test";
import {
  type Accept,
  type CloseStatus,
  connect,
  type Handler,
  HandshakeError,
  type HandshakeErrorInit,
  type Listener,
  serve,
  type ServeOptions,
  type Server,
  type TcpAddr,
  type WebSocketSession,
} from "../mod.ts";
import { FakeClock } from "../src/fake_clock.ts";
import { type MemoryConn, MemoryListener } from "../src/runtime/memory.ts";
import { latin1 } from "./latin1.ts";
import { readAll } from "./session_pair.ts";
import { clientFrame, RawPeer, REQUEST, requestWith } from "./raw_peer.ts";

const PLAIN = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

function url(server: Pick<Server, "addr">, path = "/"): string {
  return `ws://127.0.0.1:${(server.addr as TcpAddr).port}${path}`;
}

/** Runs a test against a server, and shuts that down. */
async function withServer<D>(
  options: ServeOptions<D>,
  handler: Parameters<typeof serve<D>>[1],
  run: (server: Server<D>) => Promise<void>,
): Promise<void> {
  const server = await serve<D>({ port: 0, ...options }, handler);
  try {
    await run(server);
  } finally {
    await server.shutdown();
    assertEquals(server.stats(), {
      sessions: 0,
      pendingHandshakes: 0,
      contexts: 0,
      contextBytes: 0,
      responses: 0,
    });
  }
}

/** The status of the answer to a request, and the whole answer. */
async function answer(
  server: Pick<Server, "addr">,
  request: string,
): Promise<[number, string]> {
  const peer = await RawPeer.connect(server.addr);
  const text = await peer.exchange(request);
  peer.close();
  return [Number(text.slice(9, 12)), text];
}

describe("serve()", () => {
  test("answers the opening handshake", async () => {
    await withServer({}, echo, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      const response = await peer.open();
      assertStringIncludes(response, "HTTP/1.1 101 ");
      assertStringIncludes(
        response.toLowerCase(),
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
      );
      assert(!response.toLowerCase().includes("sec-websocket-protocol"));
      await peer.send(clientFrame(0x81, "hi"));
      assertEquals(await peer.receiveUntil("hi"), "\x81\x02hi");
      peer.close();
    });
  });

  test("H-1 takes a request in any pieces, with frames right behind it", async () => {
    await withServer({}, echo, async (server) => {
      const bytes = REQUEST + clientFrame(0x81, "hi");
      for (let cut = 1; cut < bytes.length; cut += 7) {
        const peer = await RawPeer.connect(server.addr);
        await peer.send(bytes.slice(0, cut));
        await peer.send(bytes.slice(cut));
        assertStringIncludes(await peer.receiveUntil("\x81\x02hi"), " 101 ");
        peer.close();
      }
      const peer = await RawPeer.connect(server.addr);
      for (const byte of bytes) await peer.send(byte);
      assertStringIncludes(await peer.receiveUntil("\x81\x02hi"), " 101 ");
      peer.close();
    });
  });

  for (
    const [what, request, status] of [
      ["H-10 version 8", REQUEST.replace(": 13", ": 8"), 426],
      ["H-14 a short key", REQUEST.replace(/Key: .*/, "Key: AAAA"), 400],
      ["H-20 a missing Host", REQUEST.replace(/Host: .*\r\n/, ""), 400],
      [
        "H-22 a foreign origin",
        requestWith("Origin: https://evil.example"),
        403,
      ],
      ["H-33 POST", REQUEST.replace("GET", "POST"), 405],
      ["H-34 HTTP/1.0", REQUEST.replace("HTTP/1.1", "HTTP/1.0"), 505],
      ["H-35 a body", requestWith("Content-Length: 5") + "hello", 400],
      [
        "H-40 a missing Connection",
        REQUEST.replace(/Connection: .*\r\n/, ""),
        400,
      ],
      ["H-43 a bare LF", REQUEST.replace("\r\n", "\n"), 400],
      [
        "H-50 too many header fields",
        requestWith(...Array(200).fill("X: y")),
        431,
      ],
      [
        "H-51 a long request line",
        REQUEST.replace("/", `/${"x".repeat(20_000)}`),
        414,
      ],
      [
        "H-51 a long header field",
        requestWith(`X: ${"x".repeat(20_000)}`),
        431,
      ],
      ["H-80 an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
      ["no WebSocket at all", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426],
    ] as [string, string, number][]
  ) {
    test(`refuses ${what} with ${status}, complete and readable`, async () => {
      await withServer({}, echo, async (server) => {
        const [got, text] = await answer(server, request);
        assertEquals(got, status, text);
        assertStringIncludes(text.toLowerCase(), "connection: ");
        const length = Number(/content-length: (\d+)/i.exec(text)![1]);
        assertEquals(text.split("\r\n\r\n")[1].length, length);
        if (status === 426) {
          assertStringIncludes(text.toLowerCase(), "upgrade: websocket");
        }
        if (what.includes("version")) {
          assertStringIncludes(text.toLowerCase(), "sec-websocket-version: 13");
        }
      });
    });
  }

  test("N-4 a refusal can be read although the client goes on sending", async () => {
    await withServer({}, echo, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      await peer.send(REQUEST.replace(": 13", ": 8"));
      const sending = peer.send(new Uint8Array(1_000_000)).catch(() => {});
      assertStringIncludes(
        await peer.receiveUntil("\r\n\r\n"),
        "HTTP/1.1 426 ",
      );
      await sending;
      peer.close();
    });
  });

  test("chooses the first of its subprotocols that was offered", async () => {
    await withServer({ protocols: ["a", "b"] }, echo, async (server) => {
      for (
        const [offered, chosen] of [[["b", "a"], "a"], [["x", "b"], "b"], [[
          "x",
        ], ""]] as const
      ) {
        const peer = await RawPeer.connect(server.addr);
        const response = await peer.open(
          requestWith(`Sec-WebSocket-Protocol: ${offered.join(", ")}`),
        );
        const match = /sec-websocket-protocol: (.*)\r\n/i.exec(response);
        assertEquals(match?.[1] ?? "", chosen);
        peer.close();
      }
    });
  });

  test("accept adds data and headers and chooses the subprotocol", async () => {
    const options: ServeOptions<{ user: string }> = {
      accept: (request, { protocols, remoteAddr }) => {
        assertEquals((remoteAddr as TcpAddr).hostname, "127.0.0.1");
        assertEquals(protocols, ["x", "y"]);
        const user = new URL(request.toRequest().url).searchParams.get("user")!;
        return {
          protocol: "y",
          headers: { "Set-Cookie": "a=b" },
          data: { user },
        };
      },
    };
    const run: Handler<{ user: string }> = (session) => session.send(session.data.user);
    await withServer(options, run, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      const response = await peer.open(
        requestWith("Sec-WebSocket-Protocol: x, y").replace("/", "/?user=ada"),
      );
      assertStringIncludes(response.toLowerCase(), "set-cookie: a=b");
      assertStringIncludes(response.toLowerCase(), "sec-websocket-protocol: y");
      assertStringIncludes(await peer.receiveUntil("ada"), "ada");
      peer.close();
    });
  });

  test("H-70 accept refuses with its own response", async () => {
    const accept = () =>
      Promise.resolve(
        new Response("no such room", {
          status: 404,
          headers: { "X-Why": "because" },
        }),
      );
    await withServer({ accept }, echo, async (server) => {
      const [status, text] = await answer(server, REQUEST);
      assertEquals(status, 404);
      assertStringIncludes(text.toLowerCase(), "x-why: because");
      assert(text.endsWith("no such room"));
    });
  });

  test("an accept that fails is a 500 and reaches onError", async () => {
    for (
      const accept of [
        () => Promise.reject(new Error("database")),
        () => ({ protocol: "not-offered" }),
        () => ({ headers: { "X": "a\r\nb" } }),
      ]
    ) {
      const errors: unknown[] = [];
      await withServer(
        { accept, onError: (error) => errors.push(error) },
        echo,
        async (server) => {
          const [status, text] = await answer(server, REQUEST);
          assertEquals(status, 500);
          assert(!text.includes("database"));
          assertEquals(errors.length, 1);
        },
      );
    }
  });

  const unwritableResponses: [what: string, create: () => Response, message: string][] = [
    ["Response.error()", () => Response.error(), " returned Response.error()"],
    [
      "a control character in a field",
      () => new Response("no", { status: 403, headers: { "x-a": "a\x01b" } }),
      "Header x-a has a value",
    ],
    [
      "a body that has been read",
      () => {
        const response = new Response("no", { status: 403 });
        response.body!.getReader();
        return response;
      },
      "whose body is being, or has been, read",
    ],
  ];
  if ("Deno" in globalThis) {
    unwritableResponses.push([
      "101, which only Deno lets one make",
      () => new Response(null, { status: 101 }),
      "101, which is not final",
    ]);
  }
  for (const [what, create, message] of unwritableResponses) {
    for (const whose of ["accept", "fetch"]) {
      test(`a Response of ${whose} that can't be written (${what}) reaches onError, and hangs nobody`, async () => {
        const errors: unknown[] = [];
        const onError = (error: unknown): void => void errors.push(error);
        await withServer({ [whose]: create, onError }, echo, async (server) => {
          const [status, text] = await answer(server, whose === "accept" ? REQUEST : PLAIN);
          assertEquals(status, 500, text);
          assertEquals(errors.length, 1);
          assertStringIncludes(`${errors}`, message);
        });
      });
    }
  }

  const unwritable: [what: string, init: HandshakeErrorInit][] = [
    ["101", { status: 101 }],
    ["204, which has no body", { status: 204 }],
    ["999", { status: 999 }],
    ["NaN", { status: NaN }],
    ["a line break in a field", { status: 403, headers: [["x", "a\r\nb: c"]] }],
    ["a name that is no token", { status: 403, headers: [["x y", "a"]] }],
  ];
  for (const [what, init] of unwritable) {
    test(`a HandshakeError that no answer can carry (${what}) is a 500, and reaches onError`, async () => {
      const fail = (): never => {
        throw new HandshakeError("secret", init);
      };
      for (const [request, options] of [[REQUEST, { accept: fail }], [PLAIN, { fetch: fail }]]) {
        const errors: unknown[] = [];
        const onError = (error: unknown): void => void errors.push(error);
        await withServer({ ...options as object, onError }, echo, async (server) => {
          const [status, text] = await answer(server, request as string);
          assertEquals(status, 500);
          assert(!text.includes("secret"));
          assertEquals(errors.map((error) => error instanceof TypeError), [true]);
          assertEquals(`${(errors[0] as Error).cause}`, "HandshakeError: secret");
        });
      }
    });
  }

  test("a HandshakeError that accept throws is the answer, but for the fields of the connection", async () => {
    const accept = (): never => {
      throw new HandshakeError("not ♥ you", {
        status: 403,
        headers: [["X-B", "1"], ["Content-Length", "9"], ["Transfer-Encoding", "chunked"], [
          "X-a",
          "2",
        ]],
      });
    };
    await withServer({ accept }, echo, async (server) => {
      const [, text] = await answer(server, REQUEST);
      assertEquals(text.split("\r\n"), [
        "HTTP/1.1 403 Forbidden",
        "content-type: text/plain; charset=utf-8",
        "x-b: 1",
        "x-a: 2",
        "connection: close",
        "content-length: 12",
        "",
        "not \xe2\x99\xa5 you\n",
      ]);
    });
  });

  test("a HandshakeError may say what its answer is made of", async () => {
    const accept = (): never => {
      throw new HandshakeError("{}", {
        status: 403,
        headers: [["Content-Type", "application/json"]],
      });
    };
    await withServer({ accept }, echo, async (server) => {
      const [, text] = await answer(server, REQUEST);
      assertEquals(text.match(/content-type: .*/g), ["content-type: application/json"]);
    });
  });

  test("N-2 frames that come before accept has decided are delivered after open", async () => {
    let decide!: () => void;
    const decided = new Promise<void>((resolve) => decide = resolve);
    await withServer({ accept: () => decided }, echo, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      await peer.send(REQUEST);
      await peer.send(clientFrame(0x81, "one"));
      await peer.send(clientFrame(0x81, "two"));
      decide();
      assertStringIncludes(
        await peer.receiveUntil("two"),
        "\x81\x03one\x81\x03two",
      );
      peer.close();
    });
  });

  test("N-6 accept learns that its client has left", async () => {
    let aborted!: (reason: unknown) => void;
    const reason = new Promise((resolve) => aborted = resolve);
    const accept: ServeOptions["accept"] = (_, { signal }) => {
      signal.addEventListener("abort", () => aborted(signal.reason));
      return new Promise<void>(() => {});
    };
    await withServer({ accept }, echo, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      await peer.send(REQUEST);
      while (server.stats().pendingHandshakes === 0) await pause();
      peer.close();
      assertStringIncludes(String(await reason), "The client has left");
      while (server.stats().pendingHandshakes > 0) await pause();
    });
  });

  test("H-53 a handshake that takes too long is refused with 408", async () => {
    await withServer({ handshakeTimeout: 100 }, echo, async (server) => {
      for (const part of ["", "GET / HT", REQUEST.slice(0, -2)]) {
        const start = performance.now();
        const [status] = await answer(server, part);
        assertEquals(status, 408);
        assert(performance.now() - start >= 99);
      }
    });
  });

  test("H-53 a refusal is left alone by an accept() that says yes when it is too late", async () => {
    const listener = new MemoryListener();
    const accept: Accept<unknown> = (_request, { signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    const server = await serve({ listener, accept, handshakeTimeout: 50 }, echo);
    const conn = listener.connect({ highWaterMark: 1 });
    await conn.write(latin1(REQUEST));
    while (server.stats().responses === 0) await pause();
    for (let turn = 0; turn < 5; turn++) await pause(); // the answer goes on its way meanwhile
    const answer = new TextDecoder().decode(await readAll(conn));
    assertStringIncludes(answer, "took more than 50 ms (handshakeTimeout)\n");
    await conn.write(latin1("x")); // it still listens, lest a reset destroys the answer
    conn.close();
    await server.shutdown();
  });

  test("an accept() that says no when it is too late is told that its body is not read", async () => {
    const listener = new MemoryListener();
    const isCancelled = Promise.withResolvers<void>();
    const body = new ReadableStream({ cancel: () => isCancelled.resolve() });
    const accept: Accept<unknown> = (_request, { signal }) =>
      new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve(new Response(body, { status: 403 })))
      );
    const server = await serve({ listener, accept, handshakeTimeout: 50 }, echo);
    const conn = listener.connect();
    await conn.write(latin1(REQUEST));
    await isCancelled.promise;
    conn.close();
    await server.shutdown();
  });

  test("a session that can't be made is an error of the server's, and gives its room back", async () => {
    const listener = new MemoryListener();
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const server = await serve({
      listener,
      clock,
      accept: () => {
        clock.now = () => {
          throw new Error("The clock has stopped");
        };
      },
      onError: (error) => errors.push(error),
      limits: { maxConnections: 1 },
    }, echo);
    for (let round = 0; round < 2; round++) { // the second one finds room
      const conn = listener.connect();
      await conn.write(latin1(REQUEST));
      const answer = new TextDecoder().decode(await readAll(conn).catch(() => new Uint8Array(0)));
      assertEquals(answer.includes(" 503 "), false);
      Reflect.deleteProperty(clock, "now");
      while (errors.length <= round) await pause();
    }
    assertEquals(errors.map(String), Array(2).fill("Error: The clock has stopped"));
    assertEquals([server.sessions.size, server.stats().responses], [0, 0]);
    await server.shutdown();
  });

  test("a Conn that fails where it should reject is an error of the server's", async () => {
    const listener = new MemoryListener();
    const errors: unknown[] = [];
    const server = await serve({
      listener: breakReads(listener),
      accept: () => {},
      onError: (error) => errors.push(error),
    }, echo);
    const conn = listener.connect();
    await conn.write(latin1(REQUEST));
    assertStringIncludes(new TextDecoder().decode(await readAll(conn)), " 500 ");
    assertEquals(errors.map(String), ["Error: No second read"]);
    conn.close();
    await server.shutdown();
  });

  test("N-3 a client that resets inside its request is nobody's error", async () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
    for (const sent of ["", "GET / HT", REQUEST.slice(0, 60), head, `${head}half`]) {
      const listener = new MemoryListener();
      const errors: unknown[] = [];
      const server = await serve({
        listener,
        fetch: () => new Response("hello"),
        onError: (error) => errors.push(error),
      }, echo);
      const conn = listener.connect();
      if (sent !== "") await conn.write(latin1(sent));
      await pause();
      assertEquals(server.stats().pendingHandshakes, 1);
      conn.reset();
      while (server.stats().pendingHandshakes + server.stats().responses > 0) await pause();
      assertEquals(errors, []);
      await server.shutdown();
    }
  });

  test("without shutdown(), too, a server whose listener closes drops handshakes that never end", async () => {
    for (const sent of ["GET / HT", REQUEST]) {
      const listener = new MemoryListener();
      const server = await serve({
        listener,
        handshakeTimeout: Infinity,
        closeTimeout: 30,
        accept: () => new Promise<void>(() => {}),
      }, echo);
      const conn = listener.connect();
      await conn.write(latin1(sent));
      await pause();
      listener.close();
      await server.finished;
      assertEquals(await conn.read().catch(() => null), null);
      assertEquals(server.stats().pendingHandshakes, 0);
    }
  });

  test("M-11 those who are told that they are too many are bounded, too", async () => {
    const listener = new MemoryListener();
    const server = await serve({ listener, limits: { maxPendingHandshakes: 3 } }, echo);
    const conns = [];
    for (let i = 0; i < 30; i++) {
      const conn = listener.connect();
      await conn.write(latin1("GET "));
      conns.push(conn);
      await pause();
      const { pendingHandshakes, responses } = server.stats();
      assert(pendingHandshakes <= 3 && responses <= 3, `${pendingHandshakes}, ${responses}`);
    }
    assertEquals(server.stats().pendingHandshakes, 3);
    // The first ones get their answer, those that come while it is being read get none.
    assertStringIncludes(new TextDecoder().decode((await conns[0].read())!), "HTTP/1.1 408 ");
    assertEquals(await conns[10].read().catch(() => null), null);
    for (const conn of conns) conn.close();
    await server.shutdown();
  });

  test("M-11 refusals on their way are bounded, whoever they are for", async () => {
    const listener = new MemoryListener();
    const limits = { maxPendingHandshakes: 3 };
    const accept = (): Response => new Response("no", { status: 401 });
    const server = await serve({ listener, limits, accept }, echo);
    const wrong = [REQUEST, REQUEST.replace("Version: 13", "Version: 12"), "nonsense\r\n\r\n"];
    const conns: MemoryConn[] = [];
    const send = async (text: string): Promise<MemoryConn> => {
      const conn = listener.connect();
      conns.push(conn);
      await conn.write(latin1(text));
      await pause();
      return conn;
    };
    for (let i = 0; i < 30; i++) {
      await send(wrong[i % 3]);
      const { responses } = server.stats();
      assertEquals(responses, Math.min(i + 1, 3));
    }
    for (const [i, status] of [401, 426, 400].entries()) {
      const text = new TextDecoder().decode((await conns[i].read())!);
      assertStringIncludes(text, `HTTP/1.1 ${status} `);
    }
    assertEquals(await conns[3].read().catch(() => null), null);
    for (const conn of conns) conn.close(); // there is room again
    await pause();
    assertEquals(server.stats().responses, 0);
    const late = new TextDecoder().decode((await (await send(wrong[0])).read())!);
    assertStringIncludes(late, "HTTP/1.1 401 ");
    for (const conn of conns) conn.close();
    await server.shutdown();
  });

  test("M-11 the oldest handshake goes when there are too many", async () => {
    await withServer(
      { limits: { maxPendingHandshakes: 2 } },
      echo,
      async (server) => {
        const peers = [];
        for (let i = 1; i <= 3; i++) {
          const peer = await RawPeer.connect(server.addr);
          await peer.send("GET ");
          peers.push(peer);
          while (
            server.stats().pendingHandshakes < Math.min(i, 2)
          ) await pause();
        }
        assertStringIncludes(await peers[0].receiveAll(), "HTTP/1.1 408 ");
        assertStringIncludes(
          await peers[2].open(REQUEST.slice(4)),
          "HTTP/1.1 101 ",
        );
        for (const peer of peers) peer.close();
      },
    );
  });

  test("limits.maxConnections refuses with 503 and Retry-After", async () => {
    await withServer(
      { limits: { maxConnections: 1 } },
      echo,
      async (server) => {
        const first = await connect(url(server));
        const error = await assertRejects(
          () => connect(url(server)),
          HandshakeError,
          "503",
        );
        assertEquals(
          error.headers.find(([name]) => name === "retry-after")?.[1],
          "5",
        );
        await first.close();
        while (server.sessions.size > 0) await pause();
        const second = await connect(url(server));
        await second.close();
      },
    );
  });

  test("limits.maxConnectionsPerAddress refuses repeated connections with 429", async () => {
    const options = {
      limits: { maxConnectionsPerAddress: 2 },
      trustedProxies: ["127.0.0.1"],
    };
    await withServer(options, echo, async (server) => {
      const from = (address: string) =>
        connect(url(server), { headers: { "X-Forwarded-For": address } });
      const sessions = [
        await from("1.1.1.1"),
        await from("1.1.1.1"),
        await from("2.2.2.2"),
      ];
      await assertRejects(() => from("1.1.1.1"), HandshakeError, "429");
      assertEquals(
        ([...server.sessions.values()][2].remoteAddr as TcpAddr).hostname,
        "2.2.2.2",
      );
      await sessions[0].close();
      while (server.sessions.size > 2) await pause();
      sessions.push(await from("1.1.1.1"));
      for (const session of sessions) await session.close();
    });
  });

  test("fetch and accept are told by trusted proxies that the client uses TLS", async () => {
    const schemes: string[] = [];
    const note = (request: Request): Response => {
      schemes.push(new URL(request.url).protocol);
      return new Response(null, { status: 401 });
    };
    const headers = { "X-Forwarded-Proto": "https" };
    for (const trustedProxies of [["127.0.0.1"], []]) {
      const accept: Accept<unknown> = (request) => note(request.toRequest());
      await withServer({ trustedProxies, fetch: note, accept }, echo, async (server) => {
        await (await fetch(url(server).replace("ws", "http"), { headers })).body?.cancel();
        await assertRejects(() => connect(url(server), { headers }), HandshakeError, "401");
      });
    }
    assertEquals(schemes, ["https:", "https:", "http:", "http:"]);
  });

  test("fetch answers plain HTTP on the same port", async () => {
    const options: ServeOptions = {
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/stream") {
          return new Response(stream(["one ", "two ", "three"]));
        }
        if (pathname === "/none") return new Response(null, { status: 204 });
        if (pathname === "/bytes") return new Response(new Uint8Array(300_000));
        if (pathname === "/fail") throw new Error("fail");
        return new Response(
          `${request.method} ${request.url} ${await request.text()}`,
          {
            headers: { "X-Test": "yes" },
          },
        );
      },
      onError: () => {},
    };
    await withServer(options, echo, async (server) => {
      const base = url(server).replace("ws", "http").slice(0, -1);
      const get = async (
        path: string,
        init?: RequestInit,
      ): Promise<[number, string]> => {
        const response = await fetch(base + path, init);
        return [response.status, await response.text()];
      };
      assertEquals(await get("/a?b"), [200, `GET ${base}/a?b `]);
      // Not by fetch(): some runtimes' clients tidy the path up.
      const [, text] = await answer(
        server,
        "GET //evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n",
      );
      assertStringIncludes(text, "GET http://a/");
      assertStringIncludes(text, "/evil.example/x ");
      assertEquals(await get("/p", { method: "POST", body: "body" }), [
        200,
        `POST ${base}/p body`,
      ]);
      assertEquals(
        await get(
          "/p",
          {
            method: "POST",
            body: stream(["a", "b"]),
            duplex: "half",
          } as RequestInit,
        ),
        [200, `POST ${base}/p ab`],
      );
      assertEquals(await get("/stream"), [200, "one two three"]);
      assertEquals(await get("/none"), [204, ""]);
      assertEquals((await get("/bytes"))[1].length, 300_000);
      assertEquals((await get("/fail"))[0], 500);
      assertEquals(
        (await get("/big", {
          method: "POST",
          body: new Uint8Array(1_048_577),
        }))[0],
        413,
      );
      const head = await fetch(`${base}/x`, { method: "HEAD" });
      assertEquals(
        [head.status, head.headers.get("x-test"), await head.text()],
        [200, "yes", ""],
      );
      const session = await connect(url(server));
      await session.send("and WebSocket");
      assertEquals(await session.receive(), "and WebSocket");
      await session.close();
    });
  });

  test("HEAD has no body on the wire, and pipelined requests are never answered", async () => {
    await withServer(
      { fetch: () => new Response("body") },
      echo,
      async (server) => {
        const plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        const [, head] = await answer(server, plain.replace("GET", "HEAD"));
        assert(head.endsWith("\r\n\r\n"));
        const [, text] = await answer(server, plain + plain);
        assertEquals(text.split("HTTP/1.1 ").length, 2);
        assert(text.endsWith("\r\n\r\nbody"));
      },
    );
  });

  test("a fetch whose body is no stream of bytes is an error of its own", async () => {
    for (const parts of [["text"], [new Uint8Array(1), "text"], [[1, 2]]]) {
      const errors: unknown[] = [];
      const body = new ReadableStream({
        start(controller) {
          for (const part of parts) controller.enqueue(part);
          controller.close();
        },
      });
      const options = { fetch: () => new Response(body), onError: (e: unknown) => errors.push(e) };
      await withServer(options, echo, async (server) => {
        const peer = await RawPeer.connect(server.addr);
        await peer.send(PLAIN);
        while (errors.length === 0) await pause();
        peer.close();
      });
      assertEquals(errors.map((error) => error instanceof TypeError), [true]);
      assertStringIncludes(String(errors[0]), "Uint8Array");
    }
  });

  test("a fetch that returns no proper response is an error of its own, and answered 500", async () => {
    for (const result of [undefined, "text", Response.error()]) {
      const errors: unknown[] = [];
      const options = {
        fetch: () => result as Response,
        onError: (error: unknown) => errors.push(error),
      };
      await withServer(options, echo, async (server) => {
        const [status] = await answer(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assertEquals(status, 500);
      });
      assertEquals([errors.length, errors[0] instanceof TypeError], [1, true]);
    }
  });

  test("H-21 a Host that is a name on some runtimes only harms nobody", async () => {
    const errors: unknown[] = [];
    const options = {
      fetch: (request: Request) => new Response(request.url),
      onError: (error: unknown) => errors.push(error),
    };
    await withServer(options, echo, async (server) => {
      const [status] = await answer(server, "GET / HTTP/1.1\r\nHost: xn--a\r\n\r\n");
      assert([200, 400].includes(status), `${status}`);
      assertEquals(errors, []);
    });
  });

  test("sends 100 Continue to a client that waits for it, 417 to other expectations", async () => {
    const fetch = async (request: Request) => new Response(await request.text());
    await withServer({ fetch }, echo, async (server) => {
      const head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
      const peer = await RawPeer.connect(server.addr);
      await peer.send(head);
      assertStringIncludes(
        await peer.receiveUntil("\r\n\r\n"),
        "HTTP/1.1 100 ",
      );
      await peer.send("body");
      const text = await peer.receiveAll();
      assertStringIncludes(text, "HTTP/1.1 200 ");
      assert(text.endsWith("body"));
      peer.close();
      const [status] = await answer(
        server,
        head.replace("100-continue", "miracles"),
      );
      assertEquals(status, 417);
    });
  });

  test("handlers see open, messages one after another, and close, once each", async () => {
    const log: string[] = [];
    let ended!: () => void;
    const end = new Promise<void>((resolve) => ended = resolve);
    await withServer<number>({ accept: () => ({ data: 7 }) }, {
      async open(session, server) {
        await pause();
        log.push(`open ${session.data} ${server.sessions.size}`);
      },
      async message(session, message) {
        log.push(`begin ${message}`);
        await pause();
        log.push(`end ${message}`);
        await session.send(message);
      },
      close(_, status, server) {
        log.push(
          `close ${status.code} ${status.reason} ${server.sessions.size}`,
        );
        ended();
      },
    }, async (server) => {
      const session = await connect(url(server));
      session.send("1");
      session.send("2");
      assertEquals([await session.receive(), await session.receive()], [
        "1",
        "2",
      ]);
      await session.close(4000, "done");
      await end;
      assertEquals(log, [
        "open 7 1",
        "begin 1",
        "end 1",
        "begin 2",
        "end 2",
        "close 4000 done 0",
      ]);
    });
  });

  test("X-9 whatever a handler throws goes to onError, closes with 1011 and hurts nobody else", async () => {
    const handlers: Parameters<typeof serve>[1][] = [
      () => {
        throw new Error("boom");
      },
      async () => {
        await pause();
        throw new Error("boom");
      },
      {
        open() {
          throw new Error("boom");
        },
      },
      {
        message() {
          throw new Error("boom");
        },
      },
      { message: () => Promise.reject(new Error("boom")) },
    ];
    for (const handler of handlers) {
      const errors: unknown[] = [];
      await withServer(
        { onError: (error) => errors.push(error) },
        handler,
        async (server) => {
          const session = await connect(url(server));
          const own = [...server.sessions.values()][0];
          session.send("go");
          const status = await session.closed;
          assertEquals([status.code, status.wasClean], [1011, true]);
          assertEquals((await own.closed).error, errors[0]);
          assertEquals(errors.map(String), ["Error: boom"]);
        },
      );
    }
  });

  test("a handler that throws behind the end leaves no call of receive() waiting", async () => {
    const errors: unknown[] = [];
    await withServer(
      { onError: (error) => errors.push(error) },
      async (session) => {
        await session.closed;
        throw new Error("saving failed");
      },
      async (server) => {
        const session = await connect(url(server));
        const [own] = server.sessions.values();
        await session.close(1000);
        await own.closed;
        await pause();
        assertEquals(errors.map(String), ["Error: saving failed"]);
        assertEquals(await own.receive(), null);
        assertEquals(await own[Symbol.asyncIterator]().next(), { done: true, value: undefined });
      },
    );
  });

  test("a handler that lets its session's ClosedError through counts as having returned", async () => {
    const errors: unknown[] = [];
    await withServer(
      { onError: (error) => errors.push(error) },
      async (session) => {
        while (true) {
          await session.send("tick");
          await pause();
        }
      },
      async (server) => {
        const session = await connect(url(server));
        assertEquals(await session.receive(), "tick");
        session.abort();
        while (server.sessions.size > 0) await pause();
        assertEquals(errors, []);
      },
    );
  });

  test("when the handler returns, the session closes with 1000", async () => {
    await withServer({}, () => {}, async (server) => {
      const session = await connect(url(server));
      assertEquals((await session.closed).code, 1000);
    });
  });

  test("broadcast reaches all, or those given, and counts them", async () => {
    await withServer({}, echo, async (server) => {
      const clients: WebSocketSession[] = [];
      for (let i = 0; i < 5; i++) clients.push(await connect(url(server)));
      while (server.sessions.size < 5) await pause();
      assertEquals(server.broadcast("to all"), 5);
      for (const client of clients) {
        assertEquals(await client.receive(), "to all");
      }
      const some = [...server.sessions.values()].slice(1, 3);
      const large = new Uint8Array(100_000).fill(7);
      assertEquals(server.broadcast(large, some), 2);
      assertEquals(await clients[1].receive(), large);
      assertEquals(await clients[2].receive(), large);
      await clients[0].close();
      while (server.sessions.size === 5) await pause();
      assertEquals(server.broadcast("to the rest"), 4);
      for (const client of clients.slice(1)) {
        assertEquals(await client.receive(), "to the rest");
      }
      await Promise.all(clients.map((client) => client.close()));
    });
  });

  test("the table lists open sessions by id", async () => {
    await withServer({}, echo, async (server) => {
      const client = await connect(url(server));
      while (server.sessions.size < 1) await pause();
      const [[id, session]] = server.sessions;
      assertEquals(session.id, id);
      assert(id !== client.id);
      await client.close();
    });
  });

  const cancelled: string[] = [];
  for (
    const [what, answer] of [
      ["never answers", () => new Promise<Response>(() => {})],
      ["fails late", async (late) => {
        await late;
        throw new Error("late");
      }],
      ["answers late", async (late) => {
        await late;
        return new Response("late");
      }],
      [
        "sends nothing",
        () => new Response(new ReadableStream({ cancel: () => void cancelled.push("at once") })),
      ],
      [
        "sends nothing, and late",
        async (late) => {
          await late;
          return new Response(new ReadableStream({ cancel: () => void cancelled.push("late") }));
        },
      ],
    ] as [string, (late: Promise<void>) => Response | Promise<Response>][]
  ) {
    test(`shutdown waits closeTimeout, and no longer, for a fetch that ${what}`, async () => {
      const listener = new MemoryListener();
      const late = Promise.withResolvers<void>();
      const options = { listener, closeTimeout: 50, fetch: () => answer(late.promise) };
      const server = await serve(options, echo);
      const conn = listener.connect();
      await conn.write(latin1(PLAIN));
      while (server.stats().responses === 0) await pause();
      const start = performance.now();
      await server.shutdown();
      assert(performance.now() - start >= 49);
      late.resolve(); // and whatever comes of it is nobody's any more
      for (let i = 0; i < 5; i++) await pause();
      assertEquals(server.stats().responses, 0);
      assertEquals(cancelled.splice(0).length, what.startsWith("sends nothing") ? 1 : 0);
    });
  }

  test("shutdown closes all sessions with 1001, refuses newcomers and is done", async () => {
    const server = await serve({ port: 0 }, echo);
    const clients = await Promise.all(
      [1, 2, 3].map(() => connect(url(server))),
    );
    const pending = await RawPeer.connect(server.addr);
    await pending.send("GET ");
    while (server.stats().pendingHandshakes === 0) await pause();
    const shutdown = server.shutdown();
    const statuses: CloseStatus[] = await Promise.all(
      clients.map((client) => client.closed),
    );
    assertEquals(
      statuses.map(({ code, wasClean }) => [code, wasClean]),
      Array(3).fill([1001, true]),
    );
    assertStringIncludes(await pending.receiveAll(), "HTTP/1.1 503 ");
    pending.close();
    await shutdown;
    await server.finished;
    await server.shutdown();
    await assertRejects(() => connect(url(server)));
  });

  test("X-11 deaf peers do not hold up a shutdown beyond closeTimeout", async () => {
    const server = await serve({ port: 0, closeTimeout: 200 }, echo);
    const peer = await RawPeer.connect(server.addr);
    await peer.open();
    const start = performance.now();
    await server.shutdown();
    const took = performance.now() - start;
    assert(took >= 190 && took < 1200, `${took}`);
    peer.close();
  });

  test("an aborted signal shuts the server down", async () => {
    const controller = new AbortController();
    const server = await serve({ port: 0, signal: controller.signal }, echo);
    const client = await connect(url(server));
    controller.abort();
    assertEquals((await client.closed).code, 1001);
    await server.finished;
    await assertRejects(() => serve({ port: 0, signal: controller.signal }, echo));
  });

  test("N-10 a port in use is a clean rejection", async () => {
    await withServer({}, echo, async (server) => {
      const { port } = server.addr as TcpAddr;
      const error = await assertRejects(() => serve({ port }, echo), Error);
      assertStringIncludes(error.message, `127.0.0.1:${port}`);
    });
  });

  for (
    const [what, options] of [
      ["an unknown option", { prot: 8000 }],
      ["an unknown limit", { limits: { maxPayload: 1 } }],
      ["an accept that is no function", { accept: true }],
      ["a subprotocol that is no token", { protocols: ["a b"] }],
      ["an origin that matches nothing", { origin: ["https://a.example/"] }],
      ["a proxy that is no address", { trustedProxies: ["localhost"] }],
    ] as [string, ServeOptions][]
  ) {
    test(`rejects ${what}`, async () => {
      await assertRejects(
        () => serve({ port: 0, ...options }, echo),
        TypeError,
      );
    });
  }

  test("rejects a handler that is none", async () => {
    await assertRejects(
      () => serve({ port: 0 }, "x" as unknown as Handler),
      TypeError,
      "handler",
    );
  });
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** The same connections, but their second read throws. */
function breakReads(listener: MemoryListener): Listener {
  return {
    addr: listener.addr,
    secure: false,
    close: () => listener.close(),
    async accept() {
      const conn = await listener.accept();
      if (conn === null) return null;
      let reads = 0;
      const read = conn.read.bind(conn);
      conn.read = () => {
        if (++reads === 2) throw new Error("No second read");
        return read();
      };
      return conn;
    },
  };
}

function stream(parts: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      await pause();
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(encoder.encode(part));
    },
  });
}
