/** Clients of an HTTP/2 server with attach() that leave with the bytes by which they came. @module */

import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { attach, type AttachOptions } from "../src/node.ts";
import {
  CONNECT,
  end,
  FIRST_WINDOW,
  GET,
  goAway,
  grant,
  headers,
  reset,
  sendFrames,
} from "./http2_raw_peer.ts";
import { startHttp2 } from "./http2_servers.ts";

/** What is reported when a client sends these frames at once; throws for what nobody catches. */
async function reportedFor(frames: number[], options: AttachOptions = {}): Promise<unknown[]> {
  const reported: unknown[] = [];
  const onError = (error: unknown): void => void reported.push(error);
  const running = await startHttp2({
    isSecure: false,
    prepare: (server) => attach(server, { path: "/chat", onError, ...options }, () => {}),
  });
  await sendFrames(running.port, frames);
  await running.close();
  return reported;
}

const { "sec-websocket-version": _, ...withoutVersion } = CONNECT;

const requests: [what: string, fields: Readonly<Record<string, string>>][] = [
  ["an ordinary request", GET],
  ["a request for another protocol", { ...CONNECT, ":protocol": "connect-udp" }],
  ["a request to be refused", withoutVersion],
  ["a request for nobody's path", { ...CONNECT, ":path": "/other" }],
  ["a request to be accepted", CONNECT],
];

describe("attach() to a server of node:http2", () => {
  for (const [what, fields] of requests) {
    test(`${what}, reset in the same piece, is nobody's error`, async () => {
      for (const code of [8, 0]) {
        assertEquals(await reportedFor([...headers(1, fields), ...reset(1, code)]), []);
      }
    });

    test(`${what}, its connection ended in the same piece, is nobody's error`, async () => {
      assertEquals(await reportedFor([...headers(1, fields), ...goAway()]), []);
    });
  }

  test("a session that is ended and reset in one piece leaves the server well", async () => {
    const closed: Promise<unknown>[] = [];
    const running = await startHttp2({
      isSecure: false,
      prepare: (server) =>
        attach(server, { path: "/chat" }, async (session) => {
          closed.push(session.closed);
          await session.send(new Uint8Array(FIRST_WINDOW - 4)); // a frame has a header
          await session.closed;
        }),
    });
    // The server may send, and has nothing but its own end.
    const leaving = [...grant(0), ...grant(1), ...end(1), ...reset(1)];
    for (let count = 0; count < 3; count++) {
      await sendFrames(running.port, headers(1, CONNECT), leaving);
    }
    await Promise.all(closed);
    assertEquals(closed.length, 3);
    await running.close();
  });

  test("connections that end with or without streams leave the server well", async () => {
    const running = await startHttp2({
      isSecure: false,
      prepare: (server) =>
        attach(server, { path: "/chat" }, (session) => session.closed.then(() => {})),
    });
    for (let round = 0; round < 3; round++) {
      await Promise.all([
        sendFrames(running.port, goAway(0)),
        sendFrames(running.port, goAway(1)),
        sendFrames(running.port, headers(1, CONNECT), end(0)), // no stream can have that number
        sendFrames(running.port, headers(1, CONNECT), reset(99)), // nobody has begun it
        sendFrames(running.port, headers(1, CONNECT), [...end(1), ...goAway(0)]),
        sendFrames(running.port, headers(1, CONNECT), [...reset(1), ...goAway(0)]),
      ]);
    }
    await running.close();
  });
});
