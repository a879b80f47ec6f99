/** `attach()`: WebSockets on the port of a server of `node:http`. @module */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { connect, HandshakeError } from "../../mod.ts";
import { attach, type Handler } from "../../src/node.ts";
import { until } from "../catalogue/servers.ts";
import { clientFrame, REQUEST, requestWith } from "../raw_peer.ts";
import { createCertificates } from "../runtime/certificates.ts";
import { ByteClient, listenOn, page, portOf, urlOf, withHttp } from "./http_server.ts";

const echo: Handler = async (session) => {
  for await (const message of session) await session.send(message);
};

/** A handler that says where it is. */
function named(name: string): Handler {
  return (session) => session.send(name);
}

/** What the first message says. */
async function greeting(server: http.Server, path: string): Promise<unknown> {
  const session = await connect(urlOf(server, path));
  const message = await session.receive();
  await session.close();
  return message;
}

/** The status and the body of a refused handshake. */
async function refusal(url: string, options = {}): Promise<[number | undefined, string]> {
  const error = await assertRejects(() => connect(url, options), HandshakeError);
  return [error.status, new TextDecoder().decode(error.body)];
}

function target(path: string): string {
  return REQUEST.replace("GET / ", () => `GET ${path} `);
}

const H2C = "GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n";

describe("attach()", () => {
  test("serves WebSockets and pages on one port", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      const session = await connect(urlOf(server, "/any?query"));
      await session.send("text");
      assertEquals(await session.receive(), "text");
      await session.send(new Uint8Array(300_000).fill(7));
      assertEquals(await session.receive(), new Uint8Array(300_000).fill(7));
      assertEquals(sockets.stats().sessions, 1);
      assertEquals([...sockets.sessions.values()][0].request.target, "/any?query");
      assertEquals(sockets.addr, {
        transport: "tcp",
        hostname: "127.0.0.1",
        port: portOf(server),
      });
      const response = await fetch(urlOf(server, "/page").replace("ws", "http"));
      assertEquals(await response.text(), "page /page");
      assertEquals((await session.close(1000)).wasClean, true);
      await sockets.shutdown();
    });
  });

  test("has no address while the server does not listen", async () => {
    const sockets = attach(http.createServer(), {}, echo);
    assertThrows(() => sockets.addr, TypeError, "does not listen");
    await sockets.shutdown();
  });

  test("gives each path to its own handler: texts first, then functions, then all", async () => {
    await withHttp(async (server) => {
      const all = attach(server, {}, named("all"));
      const asked: string[] = [];
      const rooms = attach(server, {
        path: (target) => asked.push(target) > 0 && target.startsWith("/room/"),
      }, named("room"));
      const a = attach(server, { path: "/a" }, named("a"));
      const b = attach(server, { path: "/room/b" }, named("b"));
      assertEquals(await greeting(server, "/a"), "a");
      assertEquals(await greeting(server, "/a?b=/room/b"), "a");
      assertEquals(await greeting(server, "/room/b"), "b");
      assertEquals(asked, []);
      assertEquals(await greeting(server, "/room/x?y"), "room");
      assertEquals(await greeting(server, "/a/"), "all");
      assertEquals(await greeting(server, "/A"), "all");
      assertEquals(asked, ["/room/x?y", "/a/", "/A"]);
      await Promise.all([all, rooms, a, b].map((one) => one.shutdown()));
    });
  });

  test("answers 500, and reports it, where a path function gives no boolean", async () => {
    await withHttp(async (server) => {
      const errors: unknown[] = [];
      const path = (() => Promise.resolve(false)) as unknown as () => boolean;
      const sockets = attach(server, { path, onError: (error) => errors.push(error) }, echo);
      const client = await ByteClient.connect(server);
      assertStringIncludes(await client.exchange(target("/a")), "HTTP/1.1 500 ");
      assertStringIncludes(String(errors), "Option path returned what is of type object");
      await sockets.shutdown();
    });
  });

  test("takes the path of a target in absolute-form", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, { path: "/a" }, echo);
      const client = await ByteClient.connect(server);
      await client.send(target("http://127.0.0.1/a?b"));
      assertStringIncludes(await client.until("\r\n\r\n"), "HTTP/1.1 101 ");
      assertEquals([...sockets.sessions.values()][0].request.target, "/a?b");
      client.socket.destroy();
      const other = await ByteClient.connect(server);
      assertStringIncludes(await other.exchange(target("http://evil/a")), "HTTP/1.1 400 ");
      await sockets.shutdown();
    });
  });

  test("takes the path of a target in absolute-form that has a query alone for /", async () => {
    await withHttp(async (server) => {
      const asked: string[] = [];
      const path = (target: string): boolean => asked.push(target) === 0;
      const root = attach(server, { path: "/" }, echo);
      const others = attach(server, { path }, echo);
      for (const query of ["?b", ""]) {
        const client = await ByteClient.connect(server);
        await client.send(target(`http://127.0.0.1${query}`));
        assertStringIncludes(await client.until("\r\n\r\n"), "HTTP/1.1 101 ");
        client.socket.destroy();
      }
      assertEquals(asked, []); // a text comes first
      await root.shutdown();
      await others.shutdown();
    });
  });

  test("throws for a path that is taken, which is free again after shutdown()", async () => {
    const server = http.createServer();
    const path = (): boolean => true;
    for (const options of [{}, { path: "/a" }, { path }]) {
      const sockets = attach(server, options, echo);
      assertThrows(() => attach(server, options, echo), TypeError, "taken");
      await sockets.shutdown();
      await attach(server, options, echo).shutdown();
    }
    assertEquals(server.listenerCount("upgrade"), 0);
  });

  for (
    const [what, options, message] of [
      ["a path without a slash", { path: "a" }, '"a"'],
      ["a path with a query", { path: "/a?b" }, '"/a?b"'],
      ["a path that is a number", { path: 1 }, "number"],
      ["an option of serve()", { port: 0 }, "port"],
      ["fetch", { fetch: () => new Response() }, "fetch"],
      ["a refuse that is no function", { refuse: "x" }, "refuse"],
      ["a limit of zero", { limits: { maxConnections: 0 } }, "maxConnections"],
    ] as const
  ) {
    test(`throws for ${what}, and attaches nothing`, () => {
      const server = http.createServer();
      const error = assertThrows(() => attach(server, options as object, echo));
      assertStringIncludes((error as Error).message, message);
      assertEquals(server.listenerCount("upgrade"), 0);
    });
  }

  test("refuses with 404 what nobody takes", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, { path: "/a" }, echo);
      assertEquals(await refusal(urlOf(server, "/b")), [404, "Nothing is attached to this path\n"]);
      await sockets.shutdown();
    });
  });

  test("leaves other paths, and other protocols, to others who listen to upgrade", async () => {
    await withHttp(async (server) => {
      const seen: string[] = [];
      server.on("upgrade", (request: http.IncomingMessage, socket: Duplex) => {
        if (request.url === "/a") return;
        seen.push(`${request.url} ${request.headers.upgrade}`);
        setTimeout(() => socket.end("HTTP/1.1 299 Others\r\n\r\n"), 20);
      });
      const sockets = attach(server, { path: "/a" }, named("a"));
      for (const request of [target("/b"), H2C]) {
        const client = await ByteClient.connect(server);
        assertEquals(await client.exchange(request), "HTTP/1.1 299 Others\r\n\r\n");
      }
      assertEquals(await greeting(server, "/a"), "a");
      assertEquals(seen, ["/b websocket", "/h2c h2c"]);
      await sockets.shutdown();
      assertEquals(server.listenerCount("upgrade"), 1);
    });
  });

  test("answers a request for another protocol as an ordinary one, if nobody else listens", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      const client = await ByteClient.connect(server);
      const response = await client.exchange(H2C);
      assertStringIncludes(response, "HTTP/1.1 200 ");
      assertStringIncludes(response.toLowerCase(), "connection: close");
      assert(response.endsWith("page /h2c"), response);
      const body = H2C.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello");
      const other = await ByteClient.connect(server);
      assertStringIncludes(await other.exchange(body), "HTTP/1.1 426 ");
      await sockets.shutdown();
    });
  });

  test("who answers a request for another protocol for long learns that its client has left", {
    timeout: 5000,
  }, async () => {
    await withHttp(async (server) => {
      const asked = new Promise<http.ServerResponse>((resolve) => {
        server.removeAllListeners("request").on("request", (_, response) => resolve(response));
      });
      const sockets = attach(server, {}, echo);
      const client = await ByteClient.connect(server);
      await client.send(H2C);
      const response = await asked;
      const gone = new Promise((resolve) => response.once("close", () => resolve("gone")));
      client.socket.end();
      assertEquals(await gone, "gone");
      await client.ended;
      server.removeAllListeners("request");
      await sockets.shutdown();
    });
  });

  test("N-2 reads frames that came with the request", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {
        accept: () => new Promise<void>((resolve) => setTimeout(resolve, 20)),
      }, echo);
      const client = await ByteClient.connect(server);
      const frames = clientFrame(0x81, "one") + clientFrame(0x81, "two");
      await client.send(REQUEST + frames);
      await client.until("\x81\x03two");
      assert(client.text.endsWith("\r\n\r\n\x81\x03one\x81\x03two"), client.text);
      client.socket.destroy();
      await sockets.shutdown();
    });
  });

  test("takes an upgrade behind an ordinary request on the same connection", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      const client = await ByteClient.connect(server);
      await client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.until("page /first");
      await client.send(REQUEST);
      await client.until("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
      await client.send(clientFrame(0x81, "hi"));
      assert((await client.until("\x81\x02hi")).endsWith("\x81\x02hi"), client.text);
      client.socket.destroy();
      await sockets.shutdown();
    });
  });

  test("H-37 does not hang on Expect: 100-continue", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      const client = await ByteClient.connect(server);
      await client.send(requestWith("Expect: 100-continue"));
      await client.until("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
      assertStringIncludes(client.text, "HTTP/1.1 101 ");
      client.socket.destroy();
      await sockets.shutdown();
    });
  });

  test("finds repeated fields that node:http joins or drops", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      for (
        const [line, status] of [
          ["Host: 127.0.0.1", 400],
          ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400],
          ["Sec-WebSocket-Version: 13", 426],
          ["Origin: http://127.0.0.1\r\nOrigin: http://127.0.0.1", 400],
        ] as const
      ) {
        const client = await ByteClient.connect(server);
        const response = await client.exchange(requestWith(line));
        assertStringIncludes(response, `HTTP/1.1 ${status} `, line);
      }
      await sockets.shutdown();
    });
  });

  test("holds to origin, allowedHosts, trustedProxies, protocols and compress", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {
        allowedHosts: ["127.0.0.1", "a.example"],
        trustedProxies: ["127.0.0.1"],
        protocols: ["b", "a"],
        compress: true,
        accept: (_, { remoteAddr }) => ({ data: remoteAddr }),
      }, (session) => session.send(JSON.stringify([session.data, session.remoteAddr])));
      const url = urlOf(server);
      assertEquals((await refusal(url, { headers: { origin: "http://evil.example" } }))[0], 403);
      assertEquals((await refusal(url.replace("127.0.0.1", "localhost")))[0], 403);
      const session = await connect(url, {
        protocols: ["a", "b"],
        compress: true,
        headers: {
          "x-forwarded-for": "10.1.2.3",
          "x-forwarded-host": "a.example",
          "x-forwarded-proto": "https",
          origin: "https://a.example",
        },
      });
      assertEquals(session.protocol, "b");
      assertStringIncludes(session.extensions, "permessage-deflate");
      const addr = { transport: "tcp", hostname: "10.1.2.3", port: 0 };
      const [data, remoteAddr] = JSON.parse(await session.receive() as string);
      assertEquals([data.hostname, remoteAddr.hostname], [addr.hostname, addr.hostname]);
      await session.close();
      await sockets.shutdown();
    });
  });

  test("holds to the limits on connections", async () => {
    await withHttp(async (server) => {
      const few = attach(server, { path: "/few", limits: { maxConnections: 1 } }, echo);
      const one = attach(
        server,
        { path: "/one", limits: { maxConnectionsPerAddress: 1 } },
        echo,
      );
      for (const [path, status] of [["/few", 503], ["/one", 429]] as const) {
        const session = await connect(urlOf(server, path));
        assertEquals((await refusal(urlOf(server, path)))[0], status);
        await session.close();
        await until(() => few.stats().sessions + one.stats().sessions === 0);
        await (await connect(urlOf(server, path))).close();
      }
      await Promise.all([few.shutdown(), one.shutdown()]);
    });
  });

  test("drops the oldest handshake beyond limits.maxPendingHandshakes", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {
        limits: { maxPendingHandshakes: 1 },
        accept: (_, { signal }) =>
          new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
      }, echo);
      const first = await ByteClient.connect(server);
      await first.send(REQUEST);
      await until(() => sockets.stats().pendingHandshakes === 1);
      const second = await ByteClient.connect(server);
      await second.send(REQUEST);
      await first.ended;
      assertStringIncludes(first.text, "HTTP/1.1 408 ");
      // As many refusals may be under way as handshakes: this one must be over on our side, too.
      await until(() => sockets.stats().responses === 0);
      await sockets.shutdown();
      await second.ended;
      assertStringIncludes(second.text, "HTTP/1.1 503 ");
    });
  });

  test("has handshakeTimeout from the event on", async () => {
    await withHttp(async (server) => {
      const sockets = attach(server, {
        handshakeTimeout: 100,
        accept: () => new Promise<never>(() => {}),
      }, echo);
      const started = performance.now();
      const [status, body] = await refusal(urlOf(server));
      assertEquals(status, 408);
      assertStringIncludes(body, "handshakeTimeout");
      assert(performance.now() - started > 95);
      await sockets.shutdown();
    });
  });

  test("reports what accept throws, and what a path's function throws, and refuses with 500", async () => {
    await withHttp(async (server) => {
      const errors: unknown[] = [];
      const onError = (error: unknown): void => void errors.push((error as Error).message);
      const fail = (message: string) => (): never => {
        throw new Error(message);
      };
      const accepting = attach(server, { path: "/a", accept: fail("accept"), onError }, echo);
      const asking = attach(server, { path: fail("path"), onError }, echo);
      assertEquals(await refusal(urlOf(server, "/a")), [500, "Internal Server Error\n"]);
      assertEquals(await refusal(urlOf(server, "/b")), [500, "Internal Server Error\n"]);
      assertEquals(errors, ["accept", "path"]);
      const odd = (): never => {
        throw new HandshakeError("no", { status: 101 });
      };
      const refusing = attach(server, { path: "/c", accept: odd, onError }, echo);
      assertEquals(await refusal(urlOf(server, "/c")), [500, "Internal Server Error\n"]);
      assertStringIncludes(`${errors[2]}`, "Cannot refuse with status 101");
      await Promise.all([accepting.shutdown(), asking.shutdown(), refusing.shutdown()]);
    });
  });

  test("shutdown() closes the sessions and leaves the HTTP server alone", async () => {
    await withHttp(async (server) => {
      const a = attach(server, { path: "/a" }, echo);
      const b = attach(server, { path: "/b" }, echo);
      const sessions = await Promise.all(["/a", "/b"].map((path) => connect(urlOf(server, path))));
      await a.shutdown({ code: 4001, reason: "bye" });
      assertEquals(await sessions[0].closed, { code: 4001, reason: "bye", wasClean: true });
      await a.finished;
      assertEquals((await refusal(urlOf(server, "/a")))[0], 404);
      await sessions[1].send("still");
      assertEquals(await sessions[1].receive(), "still");
      const last = sessions[1].receive();
      await b[Symbol.asyncDispose]();
      assertEquals([await last, (await sessions[1].closed).code], [null, 1001]);
      assertEquals(server.listenerCount("upgrade"), 0);
    });
  });

  test("the HTTP server's end waits for the sessions, which only shutdown() ends", async () => {
    const server = http.createServer(page);
    await listenOn(server);
    const sockets = attach(server, {}, echo);
    const session = await connect(urlOf(server));
    let isClosed = false;
    server.close(() => isClosed = true);
    server.closeAllConnections();
    await session.send("still");
    assertEquals(await session.receive(), "still");
    assertEquals(isClosed, false);
    const end = session.receive();
    await sockets.shutdown();
    assertEquals(await end, null);
    await until(() => isClosed);
  });

  test("is shut down by its signal", async () => {
    await withHttp(async (server) => {
      const controller = new AbortController();
      const sockets = attach(server, { signal: controller.signal }, echo);
      const session = await connect(urlOf(server));
      controller.abort();
      assertEquals((await session.closed).code, 1001);
      await sockets.finished;
      assertThrows(() => attach(server, { signal: controller.signal }, echo));
      assertEquals(server.listenerCount("upgrade"), 0);
    });
  });

  test("time limits that were set before do not end sessions", async () => {
    const server = http.createServer({
      requestTimeout: 100,
      headersTimeout: 100,
      keepAliveTimeout: 100,
      connectionsCheckingInterval: 50,
    }, page);
    server.timeout = 100;
    server.on("connection", (socket) => socket.setTimeout(100, () => socket.destroy()));
    await withHttp(async (server) => {
      const sockets = attach(server, {}, echo);
      const session = await connect(urlOf(server));
      await new Promise((resolve) => setTimeout(resolve, 700));
      await session.send("still");
      assertEquals(await session.receive(), "still");
      await session.close();
      await sockets.shutdown();
    }, server);
  });

  test("broadcasts to its own sessions only", async () => {
    await withHttp(async (server) => {
      const a = attach(server, { path: "/a" }, echo);
      const b = attach(server, { path: "/b" }, echo);
      const sessions = await Promise.all(["/a", "/a", "/b"].map((p) => connect(urlOf(server, p))));
      assertEquals([a.broadcast("a"), b.broadcast("b")], [2, 1]);
      assertEquals(await Promise.all(sessions.map((one) => one.receive())), ["a", "a", "b"]);
      await Promise.all(sessions.map((one) => one.close()));
      await Promise.all([a.shutdown(), b.shutdown()]);
    });
  });

  test("serves wss:// on a server of node:https", async () => {
    const { cert, key, ca } = await createCertificates();
    const server = https.createServer({ cert, key }, page);
    await listenOn(server);
    const sockets = attach(server, {
      accept: (request) => ({ data: request.toRequest().url }),
    }, async (session) => {
      await session.send(`${session.data}`);
      await echo(session as never, sockets as never);
    });
    const url = urlOf(server).replace("ws:", "wss:").replace("127.0.0.1", "localhost");
    const origin = url.replace("wss:", "https:").slice(0, -1);
    const session = await connect(url, { tls: { caCerts: [ca] }, headers: { origin } });
    assertEquals(await session.receive(), `${origin}/`);
    const large = new Uint8Array(1_000_000).map((_, i) => i);
    await session.send(large);
    assertEquals(await session.receive(), large);
    const insecure = {
      tls: { caCerts: [ca] },
      headers: { origin: origin.replace("https", "http") },
    };
    assertEquals((await refusal(url, insecure))[0], 403);
    assertEquals((await session.close()).wasClean, true);
    await sockets.shutdown();
    server.close();
    server.closeAllConnections();
  });
});
