/** Clients of an HTTP/2 server with attach() that leave with the bytes by which they came. @module */

import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { attach, type AttachOptions } from "../src/node.ts";
import { CONNECT, GET, goAway, headers, reset, sendFrames } from "./http2_raw_peer.ts";
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
      assertEquals(await reportedFor([...headers(1, fields), ...reset(1)]), []);
    });

    test(`${what}, its connection ended in the same piece, is nobody's error`, async () => {
      assertEquals(await reportedFor([...headers(1, fields), ...goAway()]), []);
    });
  }
});
