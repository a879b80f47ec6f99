/** Section 7 of the catalogue: what networks do to connections, over TCP. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type net from "node:net";
import { describe, test } from "node:test";
import { type CloseStatus, connect, type Handlers, TimeoutError } from "../../mod.ts";
import { type Conn, prepend } from "../../src/runtime/conn.ts";
import { dial, listen } from "../../src/runtime/mod.ts";
import { latin1 } from "../latin1.ts";
import { clientFrame, RawPeer, REQUEST, requestWith } from "../raw_peer.ts";
import { allGone, deferred, echo, portOf, rawSocket, until, urlOf, withServer } from "./servers.ts";
import { Witness } from "./witness.ts";

const CLOSE = clientFrame(0x88, "\x03\xe8");

/** Handlers that echo, and a witness for each session that they have had. */
function witnesses(): { all: Witness[]; handlers: Handlers } {
  const all: Witness[] = [];
  const of = new Map<string, Witness>();
  return {
    all,
    handlers: {
      open(session) {
        const witness = new Witness();
        of.set(session.id, witness);
        all.push(witness);
        witness.opened(session);
      },
      message: (session, message) => of.get(session.id)!.received(session, message),
      close: (session, status) => of.get(session.id)!.ended(session, status),
    },
  };
}

describe("N-2 frames in one packet with the request", () => {
  for (
    const [what, frames, received, lines] of [
      [
        "good ones and a Close",
        clientFrame(0x81, "a") + clientFrame(0x82, "b") + CLOSE,
        "\x81\x01a\x82\x01b\x88\x02\x03\xe8",
        ["open", 'text "a"', "binary 62", 'closed 1000 "" clean'],
      ],
      [
        "a reserved bit",
        clientFrame(0x81, "a") + clientFrame(0xc1, "b") + clientFrame(0x81, "c"),
        "\x81\x01a\x88\x35\x03\xeaA reserved bit is set that no extension has defined",
        [
          "open",
          'text "a"',
          'closed 1006 "" not clean, ProtocolError 1002: ' +
          "A reserved bit is set that no extension has defined",
        ],
      ],
      ["a Close", CLOSE, "\x88\x02\x03\xe8", ["open", 'closed 1000 "" clean']],
    ] as const
  ) {
    for (const isSlow of [false, true]) {
      test(`${what}${isSlow ? ", before accept has decided" : ""}`, async () => {
        const { all, handlers } = witnesses();
        const decided = deferred();
        const accept = isSlow ? () => decided.promise : undefined;
        await withServer({ accept }, handlers, async (server) => {
          const peer = await RawPeer.connect(server.addr);
          await peer.send(REQUEST + frames);
          if (isSlow) await until(() => server.stats().pendingHandshakes === 1);
          decided.resolve();
          const answer = await peer.receiveAll();
          const behind = answer.slice(answer.indexOf("\r\n\r\n") + 4);
          assertEquals(behind, received);
          peer.close();
          await until(() => all.length === 1);
          await all[0].done;
          assertEquals(all[0].lines, [...lines]);
        });
      });
    }
  }

  test("1 MiB of them before accept has decided are delivered in order behind open", async () => {
    const decided = deferred();
    const { all, handlers } = witnesses();
    await withServer({ accept: () => decided.promise }, handlers, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      const count = 8192;
      const frames = Array.from({ length: count }, (_, i) => clientFrame(0x81, `${i}`.padEnd(122)));
      const reading = peer.receiveUntil(CLOSE_FRAME);
      const sending = peer.send(REQUEST + frames.join("") + CLOSE);
      await until(() => server.stats().pendingHandshakes === 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      decided.resolve();
      await sending;
      const answer = await reading;
      const behind = answer.slice(answer.indexOf("\r\n\r\n") + 4);
      assertEquals(behind.length, count * 124 + CLOSE_FRAME.length);
      peer.close();
      await until(() => all.length === 1);
      await all[0].done;
      assertEquals(all[0].lines.length, count + 2);
      assert(all[0].lines.slice(1, -1).every((line, i) => line.startsWith(`text "${i} `)));
    });
  });
});

/** A Close frame with 1000 as it comes from a server. */
const CLOSE_FRAME = "\x88\x02\x03\xe8";

describe("N-3 a reset", () => {
  const moments: [string, (socket: net.Socket) => Promise<void> | void][] = [
    ["at once", () => {}],
    ["behind the first byte", (socket) => write(socket, "G")],
    ["in the middle of the request", (socket) => write(socket, REQUEST.slice(0, 60))],
    ["behind the request", (socket) => write(socket, REQUEST)],
    ["behind the 101", (socket) => exchange(socket, REQUEST)],
    ["in the middle of a frame", async (socket) => {
      await exchange(socket, REQUEST);
      await write(socket, clientFrame(0x81, "hello").slice(0, 8));
    }],
    ["in the middle of a message", async (socket) => {
      await exchange(socket, REQUEST);
      await write(socket, clientFrame(0x01, "hello"));
    }],
    ["behind a message", async (socket) => {
      await exchange(socket, REQUEST);
      await write(socket, clientFrame(0x81, "hello"));
    }],
    ["behind a Close", async (socket) => {
      await exchange(socket, REQUEST);
      await write(socket, CLOSE);
    }],
  ];
  for (const [what, play] of moments) {
    for (const pause of [0, 20]) {
      test(`${what}${pause === 0 ? "" : `, ${pause} ms later`}, leaves nothing behind`, async () => {
        const { all, handlers } = witnesses();
        await withServer({ closeTimeout: 500 }, handlers, async (server) => {
          for (let i = 0; i < 5; i++) {
            const socket = await rawSocket(server);
            await play(socket);
            if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
            socket.resetAndDestroy();
          }
          await new Promise((resolve) => setTimeout(resolve, 5));
          await allGone(server);
          await Promise.all(all.map(({ done }) => done));
          for (const { lines } of all) {
            assert(/^closed 100[06] /.test(lines.at(-1)!), lines.join("\n"));
          }
        });
      });
    }
  }

  test("while accept decides aborts its signal, and opens no session", async () => {
    const reasons: unknown[] = [];
    const { all, handlers } = witnesses();
    const accept = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => {
          reasons.push(signal.reason);
          resolve();
        })
      );
    await withServer({ accept }, handlers, async (server) => {
      for (let i = 0; i < 5; i++) {
        const socket = await rawSocket(server);
        await write(socket, REQUEST);
        await until(() => server.stats().pendingHandshakes === 1);
        await new Promise((resolve) => setTimeout(resolve, 10));
        socket.resetAndDestroy();
        await allGone(server);
      }
    });
    assertEquals(reasons.map(String), Array(5).fill("HandshakeError: The client has left"));
    assertEquals(all, []);
  });

  test("during our own Close is one end, with 1006", async () => {
    const statuses: CloseStatus[] = [];
    await withServer({}, {
      open: (session) => void session.close(4000).then((status) => statuses.push(status)),
      close: (_, status) => void statuses.push(status),
    }, async (server) => {
      const socket = await rawSocket(server);
      await exchange(socket, REQUEST);
      socket.resetAndDestroy();
      await until(() => statuses.length === 2);
      assertEquals(statuses[0], statuses[1]);
      assertEquals([statuses[0].code, statuses[0].wasClean], [1006, false]);
    });
  });
});

function write(socket: net.Socket, text: string): Promise<void> {
  return new Promise((resolve) => socket.write(latin1(text), () => resolve()));
}

/** Sends a request and waits for the first bytes of its answer. */
async function exchange(socket: net.Socket, request: string): Promise<void> {
  const answered = new Promise((resolve) => socket.once("data", resolve));
  await write(socket, request);
  await answered;
}

describe("N-5 a FIN", () => {
  for (
    const [what, frames, lines] of [
      ["behind the request", "", ["open"]],
      ["behind a message", clientFrame(0x81, "hi"), ["open", 'text "hi"']],
      ["in the middle of a frame", clientFrame(0x81, "hi").slice(0, 7), ["open"]],
      ["in the middle of a header", "\x81", ["open"]],
      ["in the middle of a message", clientFrame(0x01, "hi"), ["open"]],
    ] as const
  ) {
    test(`${what} is 1006, and the answers before it arrive`, async () => {
      const { all, handlers } = witnesses();
      await withServer({}, handlers, async (server) => {
        const peer = await RawPeer.connect(server.addr);
        await peer.send(REQUEST + frames);
        await peer.closeWrite();
        const answer = await peer.receiveAll(); // up to our FIN: the write side is closed, too
        peer.close();
        assertEquals(answer.endsWith("\x81\x02hi"), lines.length > 1, answer);
        await until(() => all.length === 1);
        await all[0].done;
        assertEquals(all[0].lines, [...lines, 'closed 1006 "" not clean']);
      });
    });
  }

  test("behind half a request ends the connection without an answer", async () => {
    await withServer({}, echo, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      await peer.send(REQUEST.slice(0, 50));
      await peer.closeWrite();
      assertEquals(await peer.receiveAll(), "");
      peer.close();
    });
  });
});

describe("N-7 a second request", () => {
  for (
    const [what, first, status] of [
      ["behind a refused upgrade", REQUEST.replace(": 13", ": 8"), 426],
      ["behind a forbidden origin", requestWith("Origin: http://evil.example"), 403],
      ["behind plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426],
      ["behind what is no HTTP", "NONSENSE\r\n\r\n", 400],
    ] as const
  ) {
    test(`${what} is never answered`, async () => {
      await withServer({}, echo, async (server) => {
        const peer = await RawPeer.connect(server.addr);
        const answer = await peer.exchange(first + REQUEST + REQUEST);
        assertEquals(answer.split("HTTP/1.1 ").length, 2, answer);
        assertStringIncludes(answer, `HTTP/1.1 ${status} `);
        peer.close();
      });
    });
  }

  test("behind a 101 is a frame that breaks the rules", async () => {
    const { all, handlers } = witnesses();
    await withServer({}, handlers, async (server) => {
      const peer = await RawPeer.connect(server.addr);
      const answer = await peer.exchange(REQUEST + REQUEST);
      assertEquals(answer.split("HTTP/1.1 ").length, 2, answer);
      assertStringIncludes(answer, "\x03\xeaOpcode 7 is reserved"); // G is 0x47
      peer.close();
      await until(() => all.length === 1);
      await all[0].done;
      assertEquals(all[0].lines.length, 2);
    });
  });
});

test("N-8 both ends notice when what is between them stops forwarding", async () => {
  const keepalive = { interval: 100, timeout: 100 };
  const served = deferred<CloseStatus>();
  await withServer({ keepalive }, { close: (_, s) => served.resolve(s) }, async (server) => {
    const relay = await listen({ hostname: "127.0.0.1", port: 0 });
    const conns: Conn[] = [];
    let isForwarding = true;
    const pump = async (from: Conn, to: Conn): Promise<void> => {
      for (let bytes = await from.read(); bytes !== null; bytes = await from.read()) {
        if (isForwarding) await to.write(bytes.slice());
      }
    };
    const relaying = (async () => {
      const client = prepend((await relay.accept())!, new Uint8Array(0));
      const upstream = await dial({ hostname: "127.0.0.1", port: portOf(server) });
      conns.push(client, upstream);
      await Promise.allSettled([pump(client, upstream), pump(upstream, client)]);
    })();
    const session = await connect(urlOf({ addr: relay.addr }), { keepalive });
    assert(await session.ping() >= 0);
    const start = performance.now();
    isForwarding = false;
    for (const { code, error } of [await session.closed, await served.promise]) {
      assertEquals([code, error instanceof TimeoutError], [1006, true]);
    }
    const took = performance.now() - start;
    assert(took > 95 && took < 1500, `${took} ms`);
    for (const conn of conns) conn.close();
    relay.close();
    await relaying;
  });
});
