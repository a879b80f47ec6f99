/** Section 5 of the catalogue: how sessions end, whoever does what when. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, test } from "node:test";
import {
  ClosedError,
  type CloseStatus,
  connect,
  type Handlers,
  serve,
  TimeoutError,
  type WebSocketSession,
} from "../../mod.ts";
import { MemoryListener } from "../../src/runtime/memory.ts";
import { ROLES } from "../core/transcript.ts";
import { closeFrame, frame, wire } from "../core/wire.ts";
import { settle } from "../settle.ts";
import { clientFrame, RawPeer } from "../raw_peer.ts";
import { readAll, sessionAndPeer, sessionPair } from "../session_pair.ts";
import { allGone, echo, until, urlOf, withServer } from "./servers.ts";

const echoing = async (session: WebSocketSession): Promise<void> => {
  for await (const message of session) await session.send(message);
};

describe("X-7 a peer that does not end as it should", () => {
  for (const role of ROLES) {
    test(`never answers our Close: 1006 at closeTimeout (${role})`, async () => {
      const { session, clock } = sessionAndPeer(role);
      const closing = session.close(4000, "bye");
      await clock.advance(10_010);
      const { code, wasClean, error } = await closing;
      assertEquals([code, wasClean], [1006, false]);
      assert(error instanceof TimeoutError);
      assertEquals(clock.pending, 0);
    });

    test(`answers our Close after 60 s: it was gone at closeTimeout (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      const closing = session.close(4000);
      await clock.advance(60_000);
      await peer.write(wire(role, closeFrame(4000))).catch(() => {});
      const { code, wasClean, error } = await closing;
      assertEquals([code, wasClean, error instanceof TimeoutError], [1006, false, true]);
      assertEquals(clock.pending, 0);
    });

    test(`answers our Close and never ends: its code, clean, at closeTimeout (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      const closing = session.close(4000);
      await peer.write(wire(role, closeFrame(4001, "own")));
      await clock.advance(9900);
      assertEquals(await Promise.race([closing, settle()]), undefined);
      await clock.advance(110);
      assertEquals(await closing, { code: 4001, reason: "own", wasClean: true });
      assertEquals(clock.pending, 0);
    });

    test(`closes and never ends: its code, clean, at closeTimeout (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      await peer.write(wire(role, closeFrame(1001, "gone")));
      await clock.advance(10_010);
      assertEquals(await session.closed, { code: 1001, reason: "gone", wasClean: true });
      assertEquals(clock.pending, 0);
    });

    test(`ends without Close: 1006 (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      await peer.closeWrite();
      assertEquals(await session.closed, { code: 1006, reason: "", wasClean: false });
      assertEquals(clock.pending, 0);
    });

    test(`ends without Close while ours is unanswered: 1006 (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      const closing = session.close(4000);
      await settle();
      await peer.closeWrite();
      assertEquals(await closing, { code: 1006, reason: "", wasClean: false });
      assertEquals(clock.pending, 0);
    });

    test(`resets behind its Close: its code (${role})`, async () => {
      const { session, peer, clock } = sessionAndPeer(role);
      await peer.write(wire(role, closeFrame(4002, "why")));
      await settle();
      peer.reset();
      const { code, reason, wasClean } = await session.closed;
      assertEquals([code, reason, wasClean], [4002, "why", true]);
      assertEquals(clock.pending, 0);
    });
  }
});

describe("X-6 what follows a Close", () => {
  for (const role of ROLES) {
    test(`is ignored, not answered and not kept: 64 MiB of it (${role})`, async () => {
      const { session, peer } = sessionAndPeer(role, { run: echoing });
      await peer.write(wire(role, closeFrame(1000)));
      const late = wire(role, frame(0x82, new Uint8Array(65_536)), frame(0x89, "x"));
      const reading = readAll(peer);
      for (let i = 0; i < 1024; i++) {
        await peer.write(late).catch(() => {});
      }
      await peer.write(wire(role, closeFrame(4000))).catch(() => {});
      await peer.closeWrite().catch(() => {});
      assertEquals((await reading).length, role === "server" ? 4 : 8);
      assertEquals(await session.closed, { code: 1000, reason: "", wasClean: true });
      assertEquals(await session.receive(), null);
    });
  }
});

describe("X-8 calls at the wrong time", () => {
  /** What each call comes to: resolved, rejected with, or thrown. */
  async function outcome(call: () => unknown): Promise<string> {
    try {
      const result = await call();
      return typeof result === "object" && result !== null ? "status" : `${result}`;
    } catch (error) {
      return error instanceof ClosedError ? "ClosedError" : String(error);
    }
  }
  const calls: Record<string, (session: WebSocketSession) => unknown> = {
    send: (session) => session.send("x"),
    ping: (session) => session.ping(),
    close: (session) => session.close(1000),
  };

  test("while closing and closed reject with ClosedError; close() resolves", async () => {
    const expected = { send: "ClosedError", ping: "ClosedError", close: "status" };
    const ends: [string, (session: WebSocketSession) => unknown][] = [
      ["close()", (session) => session.close(4000)],
      ["abort()", (session) => session.abort()],
    ];
    for (const [what, end] of ends) {
      const { client, server } = sessionPair({ run: echoing });
      void end(client);
      const during: Record<string, string> = {};
      for (const [name, call] of Object.entries(calls)) {
        during[name] = await outcome(() => call(client));
      }
      assertEquals(during, expected, `right behind ${what}`);
      await Promise.all([client.closed, server.closed]);
      for (const session of [client, server]) {
        const after: Record<string, string> = {};
        for (const [name, call] of Object.entries(calls)) {
          after[name] = await outcome(() => call(session));
        }
        assertEquals(after, expected, `after ${what}`);
      }
    }
  });

  const inHandlers = ["open", "message", "close"] as const;
  for (const where of inHandlers) {
    for (
      const [what, act] of [
        ["close() twice", (session: WebSocketSession) => {
          session.close(4000, "first");
          session.close(4001, "second");
        }],
        ["abort() twice", (session: WebSocketSession) => {
          session.abort();
          session.abort(new Error("second"));
        }],
        ["close(), then abort()", (session: WebSocketSession) => {
          session.close(4000);
          session.abort();
        }],
        ["send() behind close()", (session: WebSocketSession) => {
          session.close(4000);
          session.send("late");
          session.ping();
        }],
        ["awaited close()", (session: WebSocketSession) => session.close(4000)],
      ] as const
    ) {
      test(`${what} in the ${where} handler ends the session once`, async () => {
        const errors: unknown[] = [];
        let ends = 0;
        const handlers: Handlers = {
          open: (session) => where === "open" ? act(session) : undefined,
          message: (session) => where === "message" ? act(session) : undefined,
          close: (session) => {
            ends++;
            return where === "close" ? act(session) : undefined;
          },
        };
        const { client, server, clock } = sessionPair({
          handlers: handlers as never,
          onError: (error) => errors.push(error),
        });
        client.send("go").catch(() => {});
        await settle();
        if (where === "close") await client.close(4000);
        await clock.advance(20);
        await Promise.all([client.closed, server.closed]);
        await settle();
        assertEquals([ends, errors], [1, []]);
        assertEquals(clock.pending, 0);
      });
    }
  }

  test("what crosses a Close that open awaits is handed out behind open", async () => {
    const log: string[] = [];
    const { client, server, clock } = sessionPair({
      handlers: {
        async open(session) {
          log.push("open");
          const { code, wasClean } = await session.close(4000);
          log.push(`closed ${code} ${wasClean}`);
        },
        message: (_, message) => void log.push(`message ${message}`),
        close: () => void log.push("close"),
      },
    });
    client.send("crosses");
    await clock.advance(20);
    await Promise.all([client.closed, server.closed]);
    await settle();
    assertEquals(log.toSorted(), ["close", "closed 4000 true", "message crosses", "open"]);
    assertEquals(log.indexOf("message crosses") > log.indexOf("closed 4000 true"), true);
  });

  test("close() in onError behind a failure changes nothing", async () => {
    const sessions: WebSocketSession[] = [];
    const { client, server } = sessionPair({
      run: (session) => {
        sessions.push(session);
        throw new Error("boom");
      },
      onError: () => {
        for (const session of sessions) {
          session.close(4000);
          session.send("late");
        }
      },
    });
    // The Close of onError comes first, and there is only one.
    assertEquals((await client.closed).code, 4000);
    assertEquals(String((await server.closed).error), "Error: boom");
  });
});

test("X-10 close() behind 16 MiB and a deaf peer ends at closeTimeout, over TCP", async () => {
  let status: CloseStatus | undefined;
  await withServer({ closeTimeout: 300 }, {
    async open(session) {
      session.send(new Uint8Array(16 * 1_048_576)).catch(() => {});
      status = await session.close(1000);
    },
  }, async (server) => {
    const peer = await RawPeer.connect(server.addr);
    const start = performance.now();
    await peer.open();
    await until(() => status !== undefined);
    const took = performance.now() - start;
    assertEquals([status!.code, status!.wasClean], [1006, false]);
    assert(status!.error instanceof TimeoutError);
    assert(took > 290 && took < 1500, `${took} ms`);
    await allGone(server);
    peer.close();
  });
});

describe("X-11 a shutdown", () => {
  test("tells 1000 sessions 1001; a tenth of them deaf, it is done by closeTimeout", async () => {
    const listener = new MemoryListener();
    const server = await serve({ listener, closeTimeout: 400 }, echo);
    const deaf = 100;
    const sessions = await Promise.all(
      Array.from({ length: 1000 - deaf }, () => connect("ws://m/", { conn: listener.connect() })),
    );
    const peers = await Promise.all(Array.from({ length: deaf }, async () => {
      const conn = listener.connect();
      await conn.write(new TextEncoder().encode(
        "GET / HTTP/1.1\r\nHost: m\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      ));
      return conn;
    }));
    await until(() => server.stats().sessions === 1000);
    const start = performance.now();
    const shutdown = server.shutdown();
    const codes = await Promise.all(sessions.map(async ({ closed }) => (await closed).code));
    assertEquals(codes.every((code) => code === 1001), true);
    await shutdown;
    const took = performance.now() - start;
    assert(took > 390 && took < 1400, `${took} ms`);
    await allGone(server);
    for (const peer of peers) peer.close();
  });

  test("answers a Close that crosses it", async () => {
    const server = await serve({ port: 0 }, echo);
    const peer = await RawPeer.connect(server.addr);
    await peer.open();
    await peer.send(clientFrame(0x88, "\x0f\xa0"));
    const shutdown = server.shutdown();
    const bytes = await peer.receiveAll();
    assert(["\x88\x02\x0f\xa0", "\x88\x02\x03\xe9"].includes(bytes), JSON.stringify(bytes));
    peer.close();
    await shutdown;
    await assertRejects(() => connect(urlOf(server)));
  });
});
