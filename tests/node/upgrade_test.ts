/** `upgrade()`: one request, for those who route the events themselves. @module */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type http from "node:http";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { connect, HandshakeError } from "../../mod.ts";
import { FakeClock } from "../../src/fake_clock.ts";
import { upgrade, type UpgradeOptions, type WebSocketSession } from "../../src/node.ts";
import { deferred } from "../catalogue/servers.ts";
import { clientFrame, REQUEST, requestWith } from "../raw_peer.ts";
import { ByteClient, urlOf, withHttp } from "./http_server.ts";

/** What becomes of the next request. */
function nextUpgrade<D>(
  server: http.Server,
  options?: UpgradeOptions<D>,
): Promise<WebSocketSession<D>> {
  const session = new Promise<WebSocketSession<D>>((resolve) => {
    server.once("upgrade", (request, socket, head) => {
      resolve(upgrade(request, socket, head, options));
    });
  });
  session.catch(() => {}); // looked at later
  return session;
}

describe("upgrade()", () => {
  test("resolves with the session", async () => {
    await withHttp(async (server) => {
      const upgrading = nextUpgrade(server, {
        protocols: ["a"],
        accept: ({ target }) => ({ data: target }),
      });
      const client = await connect(urlOf(server, "/x?y"), { protocols: ["a"] });
      const session = await upgrading;
      assertEquals([session.data, session.protocol, client.protocol], ["/x?y", "a", "a"]);
      await client.send("there");
      assertEquals(await session.receive(), "there");
      await session.send("back");
      assertEquals(await client.receive(), "back");
      const closing = client.close(4000, "done");
      assertEquals(await session.receive(), null);
      assertEquals((await closing).wasClean, true);
      assertEquals((await session.closed).code, 4000);
    });
  });

  test("N-2 reads what came with the request", async () => {
    await withHttp(async (server) => {
      const upgrading = nextUpgrade(server);
      const client = await ByteClient.connect(server);
      await client.send(REQUEST + clientFrame(0x81, "early"));
      const session = await upgrading;
      assertEquals(await session.receive(), "early");
      session.abort();
      client.socket.destroy();
    });
  });

  test("answers with a refusal, and rejects with it", async () => {
    await withHttp(async (server) => {
      const upgrading = nextUpgrade(server);
      const client = await ByteClient.connect(server);
      const answer = client.exchange(requestWith("Origin: http://evil.example"));
      const error = await assertRejects(() => upgrading, HandshakeError, "origin");
      assertEquals(error.status, 403);
      assertStringIncludes(await answer, "HTTP/1.1 403 ");
    });
  });

  test("lets refuse render the refusal", async () => {
    await withHttp(async (server) => {
      const upgrading = nextUpgrade(server, {
        refuse: (_, response, { status }) => response.end(`rendered ${status}`),
      });
      const client = await ByteClient.connect(server);
      const answer = client.exchange(REQUEST.replace("Version: 13", "Version: 8"));
      await assertRejects(() => upgrading, HandshakeError);
      assertStringIncludes(await answer, "rendered 426");
    });
  });

  test("rejects with the status of a Response from accept", async () => {
    await withHttp(async (server) => {
      const upgrading = nextUpgrade(server, {
        accept: () => new Response("no", { status: 401, headers: { "x-why": "so" } }),
      });
      const client = await ByteClient.connect(server);
      assertStringIncludes(await client.exchange(REQUEST), "HTTP/1.1 401 ");
      const error = await assertRejects(() => upgrading, HandshakeError, "401");
      assertEquals(error.status, 401);
      assertEquals(error.headers.find(([name]) => name === "x-why"), ["x-why", "so"]);
    });
  });

  test("rejects when accept fails, which onError is told", async () => {
    await withHttp(async (server) => {
      const errors: unknown[] = [];
      const broken = new Error("broken");
      const upgrading = nextUpgrade(server, {
        accept: () => Promise.reject(broken),
        onError: (error) => errors.push(error),
      });
      const client = await ByteClient.connect(server);
      assertStringIncludes(await client.exchange(REQUEST), "HTTP/1.1 500 ");
      const error = await assertRejects(() => upgrading, HandshakeError);
      assertEquals([error.status, error.cause, errors], [500, broken, [broken]]);
    });
  });

  test("rejects when the session can't be made, which onError is told", async () => {
    await withHttp(async (server) => {
      const clock = new FakeClock();
      const errors: unknown[] = [];
      const upgrading = nextUpgrade(server, {
        clock,
        accept: () => {
          clock.now = () => {
            throw new Error("The clock has stopped");
          };
        },
        onError: (error) => errors.push(error),
      });
      const client = await ByteClient.connect(server);
      await client.send(REQUEST);
      await assertRejects(() => upgrading, Error, "The clock has stopped");
      await client.ended;
      assertEquals(errors.map(String), ["Error: The clock has stopped"]);
    });
  });

  test("rejects when the client leaves, or takes too long to be accepted", async () => {
    await withHttp(async (server) => {
      const accept = () => new Promise<never>(() => {});
      const leaving = nextUpgrade(server, { accept });
      const client = await ByteClient.connect(server);
      await client.send(REQUEST);
      setTimeout(() => client.socket.resetAndDestroy(), 20);
      await assertRejects(() => leaving, HandshakeError, "left");
      const waiting = nextUpgrade(server, { accept, handshakeTimeout: 50 });
      const other = await ByteClient.connect(server);
      assertStringIncludes(await other.exchange(REQUEST), "HTTP/1.1 408 ");
      await assertRejects(() => waiting, HandshakeError, "handshakeTimeout");
    });
  });

  test("rejects for a socket that has been destroyed", async () => {
    await withHttp(async (server) => {
      const done = deferred<unknown>();
      server.once("upgrade", (request, socket, head) => {
        socket.destroy();
        const accept = () => new Promise<never>(() => {});
        setTimeout(() => upgrade(request, socket, head, { accept }).catch(done.resolve), 20);
      });
      const client = await ByteClient.connect(server);
      await client.exchange(REQUEST);
      assertStringIncludes(String(await done.promise), "The client has left");
    });
  });

  test("rejects for wrong options, and leaves the socket as it was", async () => {
    await withHttp(async (server) => {
      server.once("upgrade", async (request, socket, head) => {
        const options = { path: "/" } as UpgradeOptions;
        const error = await upgrade(request, socket, head, options).catch((error) => error);
        socket.end(`HTTP/1.1 299 ${error.name}\r\n\r\n${error.message}`);
      });
      const client = await ByteClient.connect(server);
      assertEquals(
        await client.exchange(REQUEST),
        'HTTP/1.1 299 TypeError\r\n\r\nUnknown option "path"',
      );
    });
  });

  test("takes any Duplex", async () => {
    await withHttp(async (server) => {
      const sessions = deferred<Promise<WebSocketSession>>();
      server.once("upgrade", (request, socket, head) => {
        const duplex = new Duplex({
          read() {},
          write(bytes, _, done) {
            socket.write(bytes, done);
          },
          final(done) {
            socket.end(done);
          },
        });
        socket.on("data", (bytes: Uint8Array) => duplex.push(bytes));
        socket.on("end", () => duplex.push(null));
        sessions.resolve(upgrade(request, duplex, head));
      });
      const client = await connect(urlOf(server));
      const session = await sessions.promise;
      await client.send("there");
      assertEquals(await session.receive(), "there");
      await session.send(new Uint8Array(200_000));
      assertEquals(await client.receive(), new Uint8Array(200_000));
      const closing = client.close();
      assertEquals(await session.receive(), null);
      assertEquals((await closing).wasClean, true);
    });
  });
});
