/** connect() with option http2, against servers of node:http2 on this test's runtime. @module */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { describe, test } from "node:test";
import { connect, type ConnectOptions, HandshakeError, type WebSocketSession } from "../mod.ts";
import { attach, type AttachOptions } from "../src/node.ts";
import { answer, asksForStream, end, pingFrame, settings, settingsAck } from "./http2_raw_peer.ts";
import { certificates, type RunningServer, startHttp2 } from "./http2_servers.ts";

const trust = { caCerts: [certificates.ca] };

async function echo(session: WebSocketSession): Promise<void> {
  for await (const message of session) await session.send(message);
}

/** Runs a test with a server without TLS, and a connection to it that sessions share. */
async function withShared(
  run: (url: string, http2: http2.ClientHttp2Session, running: RunningServer) => Promise<void>,
  options: AttachOptions = {},
  handler: (session: WebSocketSession) => Promise<void> = echo,
): Promise<void> {
  const running = await startHttp2({
    isSecure: false,
    prepare: (server) => attach(server, { onError: () => {}, ...options }, handler),
  });
  const client = http2.connect(`http://127.0.0.1:${running.port}`);
  try {
    await run(running.url, client, running);
  } finally {
    client.destroy();
    await running.close();
  }
}

/** Asks for a Close frame's answer, too: a session that nobody reads does not see one. */
async function drain(session: WebSocketSession): Promise<number> {
  let count = 0;
  for await (const _ of session) count++;
  return count;
}

describe("connect() over HTTP/2", () => {
  test("a hundred sessions share one connection, and each gets its own", async () => {
    await withShared(async (url, http2, { sessions }) => {
      const opened = await Promise.all(
        Array.from({ length: 100 }, (_, i) => connect(`${url}/${i}`, { http2 })),
      );
      assertEquals(sessions.size, 1);
      await Promise.all(opened.map(async (session, i) => {
        for (let round = 0; round < 10; round++) {
          const message = `${i} ${round} ${"x".repeat((i * 100 + round) % 3000)}`;
          session.send(message);
          assertEquals(await session.receive(), message);
        }
        assertEquals((await session.close()).wasClean, true);
      }));
      assert(!http2.destroyed);
    });
  });

  test("a session that is not read holds up neither the others nor its own pings", async () => {
    const held: WebSocketSession[] = [];
    const handler = async (session: WebSocketSession): Promise<void> => {
      if (session.request.target === "/silent") held.push(session);
      if (session.request.target === "/silent") await session.closed;
      else await echo(session);
    };
    await withShared(
      async (url, http2) => {
        const silent = await connect(`${url}/silent`, { http2 });
        const busy = await connect(`${url}/busy`, { http2 });
        // Neither end reads, both write: until flow control stops them.
        const message = new Uint8Array(100_000);
        for (const session of [silent, held[0]]) {
          for (let i = 0; i < 60; i++) session.send(message).catch(() => {});
        }
        for (let i = 0; i < 100; i++) {
          await busy.send(`small ${i}`);
          assertEquals(await busy.receive(), `small ${i}`);
        }
        const large = new Uint8Array(900_000).fill(7);
        await busy.send(large);
        assertEquals((await busy.receive())!.length, large.length);
        for (const session of [silent, held[0]]) {
          assert(
            session.bufferedAmount > 3_000_000,
            `only ${session.bufferedAmount} of 6 MB wait: who has taken the rest?`,
          );
        }
        silent.abort();
        await busy.close();
      },
      {},
      handler,
    );
  });

  test("what was held back arrives in order once it is read", async () => {
    let server: WebSocketSession | null = null;
    const handler = async (session: WebSocketSession): Promise<void> => {
      server = session;
      for (let i = 0; i < 300; i++) await session.send(`${i} ${"x".repeat(20_000)}`);
    };
    await withShared(
      async (url, http2) => {
        const session = await connect(url, { http2 });
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert(server!.bufferedAmount > 0, "6 MB have left though nobody reads");
        for (let i = 0; i < 300; i++) {
          assertEquals((await session.receive())!.slice(0, 4), `${i} xxx`.slice(0, 4));
        }
        assertEquals([await session.receive(), (await session.closed).code], [null, 1000]);
      },
      {},
      handler,
    );
  });

  test("compresses, also large messages both ways", async () => {
    const options = { compress: true, limits: { maxMessageSize: 8_000_000 } };
    await withShared(async (url, http2) => {
      const session = await connect(url, { ...options, http2 });
      assertStringIncludes(session.extensions, "permessage-deflate");
      const text = "over and over again ".repeat(200_000);
      await session.send(text);
      assertEquals(await session.receive(), text);
      const random = new Uint8Array(3_000_000);
      for (let at = 0; at < random.length; at += 60_000) {
        crypto.getRandomValues(random.subarray(at, at + 60_000));
      }
      await session.send(random);
      assertEquals(await session.receive(), random);
      assert(await session.ping() >= 0);
      await session.close();
    }, options);
  });

  test("without TLS option http2: true takes the server to speak HTTP/2", async () => {
    await withShared(async (url, shared, { sessions }) => {
      shared.destroy();
      const session = await connect(`${url}/x`, { http2: true });
      assertEquals(session.request.toRequest().url, `${url.replace("ws:", "http:")}/x`);
      await session.close();
      while (sessions.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    });
  });

  for (const how of ["close", "abort", "server"] as const) {
    test(`a connection of its own ends with its session (${how})`, async () => {
      let server: WebSocketSession | null = null;
      const running = await startHttp2({
        prepare: (one) => {
          attach(one, {}, async (session) => {
            server = session;
            await drain(session);
          });
        },
      });
      const session = await connect(running.url, { http2: true, tls: trust });
      assertEquals(running.sessions.size, 1);
      if (how === "close") await session.close();
      else if (how === "abort") session.abort();
      else server!.abort();
      await session.closed;
      while (running.sessions.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await running.close();
    });
  }

  test("a connection of its own ends, though the server does not hang up", async () => {
    const gone = Promise.withResolvers<void>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const send = (bytes: number[]): void => void socket.write(Uint8Array.from(bytes));
      send(settings([[8, 1]])); // SETTINGS_ENABLE_CONNECT_PROTOCOL
      send(settingsAck());
      let received: number[] = [];
      socket.on("data", (bytes) => {
        received = [...received, ...bytes];
        if (!asksForStream(received)) return;
        received = [];
        send([...answer(1, "403"), ...end(1)]);
      });
      const chatter = setInterval(() => send(pingFrame()), 20); // whatever it is told
      socket.on("error", () => {}).once("close", () => {
        clearInterval(chatter);
        gone.resolve();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const connecting = connect(`ws://127.0.0.1:${port}/`, { http2: true });
    assertEquals((await assertRejects(() => connecting, HandshakeError)).status, 403);
    await gone.promise;
    await new Promise((resolve) => server.close(resolve));
  });

  test("GOAWAY leaves open sessions alone, and lets no more begin", async () => {
    await withShared(async (url, http2, { sessions }) => {
      const session = await connect(url, { http2 });
      const away = new Promise((resolve) => http2.once("goaway", resolve));
      for (const one of sessions) one.close();
      await away;
      await session.send("still here");
      assertEquals(await session.receive(), "still here");
      await assertRejects(() => connect(url, { http2 }), Error);
      assertEquals((await session.close()).wasClean, true);
    });
  });

  test("a lost connection ends all of its sessions with 1006", async () => {
    await withShared(async (url, http2, { sessions }) => {
      const opened = await Promise.all([1, 2, 3].map(() => connect(url, { http2 })));
      const reading = opened.map((session) => drain(session));
      for (const one of sessions) one.destroy();
      await Promise.all(reading);
      for (const session of opened) {
        const { code, wasClean } = await session.closed;
        assertEquals([code, wasClean], [1006, false]);
        await session.send("x").catch((error) => assertEquals(error.name, "ClosedError"));
      }
    });
  });

  test("sessions that are aborted at any moment leave the server and the others well", async () => {
    const ended: Promise<unknown>[] = [];
    const handler = async (session: WebSocketSession): Promise<void> => {
      ended.push(session.closed);
      await echo(session).catch(() => {});
    };
    await withShared(
      async (url, http2) => {
        const stays = await connect(url, { http2 });
        for (let i = 0; i < 60; i++) {
          const controller = new AbortController();
          const connecting = connect(url, { http2, signal: controller.signal });
          if (i % 5 === 0) controller.abort(new Error("enough"));
          const session = await connecting.catch((error) => {
            assertEquals(error.message, "enough");
            return null;
          });
          if (i % 2 === 0) session?.send("x".repeat(i * 3000)).catch(() => {});
          if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, i % 7));
          session?.abort();
        }
        await stays.send("still here");
        assertEquals(await stays.receive(), "still here");
        await stays.close();
        await Promise.all(ended);
      },
      {},
      handler,
    );
  });

  test("a refusal has its status, fields and the beginning of its body", async () => {
    const accept = () => new Response("b".repeat(100_000), { status: 403, headers: { x: "y" } });
    await withShared(async (url) => {
      const error = await assertRejects(() => connect(url, { http2: true }), HandshakeError);
      assertEquals([error.status, error.body.length], [403, 65_536]);
      assertEquals(new Headers(error.headers as [string, string][]).get("x"), "y");
    }, { accept });
  });

  test("a server that takes no WebSockets over HTTP/2 is told from one that refuses", async () => {
    const running = await startHttp2({ isSecure: false });
    const shared = http2.connect(`http://127.0.0.1:${running.port}`);
    for (const one of [true, shared]) {
      const error = await assertRejects(
        () => connect(running.url, { http2: one }),
        HandshakeError,
        "SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441",
      );
      assertEquals(error.status, undefined);
    }
    assert(!shared.destroyed, "it is not ours to end");
    shared.destroy();
    await running.close();
  });

  test("a server without HTTP/2 is an error", async () => {
    const { cert, key } = certificates;
    const server = tls.createServer({ cert, key, ALPNProtocols: ["http/1.1"] }, (socket) => {
      socket.on("error", () => {}).end();
    });
    server.on("tlsClientError", (_, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const connecting = connect(`wss://127.0.0.1:${port}`, { http2: true, tls: trust });
    await assertRejects(() => connecting, Error, `Cannot connect to 127.0.0.1:${port}`);
    await new Promise((resolve) => server.close(resolve));
  });

  test("follows redirects, and leaves credentials behind at another origin", async () => {
    const seen: (string | null)[] = [];
    const options: AttachOptions = {
      accept({ target, headers }) {
        seen.push(`${target} ${headers.get("authorization")} ${headers.get("x-a")}`);
        if (target === "/new") return;
        const location = target === "/1" ? "/2" : `ws://localhost:${port}/new`;
        return new Response(null, { status: 307, headers: { location } });
      },
    };
    const running = await startHttp2({
      isSecure: false,
      prepare: (server) => attach(server, options, echo),
    });
    const { port } = running;
    const url = `ws://user:pass@127.0.0.1:${port}/1`;
    const headers = { "X-A": "1" };
    const session = await connect(url, { http2: true, redirects: 2, headers });
    assertEquals(session.request.target, "/new");
    assertEquals(seen, ["/1 Basic dXNlcjpwYXNz 1", "/2 Basic dXNlcjpwYXNz 1", "/new null 1"]);
    await session.close();
    const error = await assertRejects(() => connect(url, { http2: true }), HandshakeError);
    assertStringIncludes(error.message, "a redirect (option redirects is 0)");
    await running.close();
  });

  test("giving up resets the stream", async () => {
    let isAborted: Promise<unknown> | null = null;
    const accept: AttachOptions["accept"] = (_, { signal }) => {
      isAborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      return isAborted as Promise<void>;
    };
    await withShared(async (url, http2) => {
      const late = connect(url, { http2, handshakeTimeout: 100 });
      await assertRejects(() => late, Error, "handshakeTimeout");
      await isAborted;
    }, { accept });
  });

  test("a server that says nothing is left in time", async () => {
    const silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const left = new Promise((resolve) => {
      silent.once("connection", (socket) => socket.once("close", resolve));
    });
    const url = `ws://127.0.0.1:${(silent.address() as net.AddressInfo).port}`;
    const late = connect(url, { http2: true, handshakeTimeout: 100 });
    await assertRejects(() => late, Error, "handshakeTimeout");
    await left;
    await new Promise((resolve) => silent.close(resolve));
  });

  test("an abort at once, and a connection that is lost later, leave no rejection behind", async () => {
    const silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const host = `127.0.0.1:${(silent.address() as net.AddressInfo).port}`;
    const watched = await startHttp2({ isSecure: false }); // its close() throws for what is not caught
    const shared = http2.connect(`http://${host}`).on("error", () => {});
    const controller = new AbortController();
    const given = connect(`ws://${host}`, { http2: shared, signal: controller.signal });
    queueMicrotask(() => controller.abort(new Error("enough")));
    await assertRejects(() => given, Error, "enough");
    await new Promise((resolve) => shared.once("close", resolve).destroy());
    await new Promise((resolve) => setTimeout(resolve, 20)); // when it would be reported
    await watched.close();
    await new Promise((resolve) => silent.close(resolve));
  });

  test("a refusal whose body does not end is one in time, and its stream is reset", async () => {
    const running = await startHttp2({
      isSecure: false,
      settings: { enableConnectProtocol: true },
    });
    const left = new Promise((resolve) => {
      running.server.once("stream", (stream) => {
        stream.on("error", () => {}).once("close", resolve);
        stream.respond({ ":status": 403 });
        stream.write("no");
      });
    });
    const http = http2.connect(`http://127.0.0.1:${running.port}`);
    const late = connect(running.url, { http2: http, handshakeTimeout: 200 });
    const error = await assertRejects(() => late, HandshakeError);
    assertEquals([error.status, new TextDecoder().decode(error.body)], [403, "no"]);
    await left;
    http.destroy();
    await running.close();
  });

  test("time and the caller's signal bound the handshake", async () => {
    await withShared(async (url, http2) => {
      for (const one of [true, http2]) {
        const late = connect(url, { http2: one, handshakeTimeout: 100 });
        await assertRejects(() => late, Error, "handshakeTimeout");
        const controller = new AbortController();
        const connecting = connect(url, { http2: one, signal: controller.signal });
        setTimeout(() => controller.abort(new Error("enough")), 50);
        await assertRejects(() => connecting, Error, "enough");
      }
      assert(!http2.destroyed);
    }, { accept: () => new Promise(() => {}) });
  });

  const fake = { request() {}, closed: false, destroyed: false };
  const wrong: [options: Record<string, unknown>, message: string][] = [
    [{ http2: 1 }, "Option http2 is neither a boolean nor a ClientHttp2Session"],
    [{ http2: null }, "Option http2 is neither"],
    [{ http2: {} }, "Option http2 is neither"],
    [{ http2: true, proxy: "http://127.0.0.1:1" }, "Options http2 and proxy exclude each other"],
    [{ http2: true, unix: "/x" }, "Options http2 and unix exclude each other"],
    [{ http2: true, conn: {} }, "Options http2 and conn exclude each other"],
    [{ http2: fake, tls: {} }, "it excludes option tls"],
    [{ http2: fake, redirects: 1 }, "Option redirects may need more connections"],
    [{ http2: true, protocols: ["a b"] }, "Subprotocol 1 of the list is not a token"],
    [{ http2: true, headers: { "Keep-Alive": "1" } }, 'header "keep-alive" has no place in HTTP/2'],
  ];
  for (const [options, message] of wrong) {
    test(`rejects ${JSON.stringify(options)} with a TypeError: ${message}`, async () => {
      const connecting = connect("ws://127.0.0.1:9", options as ConnectOptions);
      await assertRejects(() => connecting, TypeError, message);
    });
  }

  test("http2: false is HTTP/1.1", async () => {
    const running = await startHttp2({ prepare: (server) => attach(server, {}, echo) });
    const session = await connect(running.url, { http2: false, tls: trust });
    assertEquals(session.request.httpVersion, "1.1");
    await session.close();
    await running.close();
  });

  test("a shared connection has to fit the URL's scheme", async () => {
    await withShared(async (url, http2) => {
      const wrong = connect(url.replace("ws:", "wss:"), { http2 });
      await assertRejects(() => wrong, TypeError, "a connection without TLS, unlike wss:");
    });
  });
});
