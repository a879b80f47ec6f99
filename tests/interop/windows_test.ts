/**
 * What is on the wire, judged by an inflater of our own that knows how far references go: they stay
 * in the window agreed on, and without context takeover in their own message.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import { connect, serve } from "../../mod.ts";
import { MemoryListener } from "../../src/runtime/memory.ts";
import { seededBytes } from "../cuts.ts";
import { decodeFrames, joinBytes } from "../frames.ts";
import { inflate } from "../inflate.ts";

const TAIL = [0, 0, 0xff, 0xff];

/** Messages with the same words near and far, in them and among them. */
const MESSAGES = Array.from({ length: 6 }, (_, i) => {
  const words = new TextEncoder().encode(
    "the quick brown fox jumps over the lazy dog, again and again",
  );
  return joinBytes(words, words, seededBytes(200 << i, i), words, words.subarray(10), words);
});

/** The payloads of compressed frames that each side writes. */
async function record(
  contextTakeover: boolean,
  windowBits: number,
): Promise<Record<"client" | "server", Uint8Array[]>> {
  const listener = new MemoryListener();
  const compress = { threshold: 0, level: 9, contextTakeover, windowBits };
  const server = await serve({ listener, compress }, async (session) => {
    for await (const message of session) await session.send(message);
  });
  const conn = listener.connect();
  const wire = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  const session = await connect("ws://memory/", {
    compress,
    conn: {
      async read() {
        const bytes = await conn.read();
        if (bytes !== null) wire.server.push(bytes.slice());
        return bytes;
      },
      write(bytes) {
        wire.client.push(bytes.slice());
        return conn.write(bytes);
      },
      closeWrite: () => conn.closeWrite(),
      close: () => conn.close(),
    },
  });
  for (const message of MESSAGES) {
    await session.send(message);
    assertEquals(await session.receive(), message);
  }
  await session.close();
  await server.shutdown();
  const payloads = (role: "client" | "server"): Uint8Array[] => {
    const all = joinBytes(...wire[role]);
    const head = new TextDecoder("latin1").decode(all).indexOf("\r\n\r\n") + 4;
    return decodeFrames(role, all.subarray(head), true).filter(({ rsv }) => rsv === 4)
      .map(({ payload }) => payload);
  };
  return { client: payloads("client"), server: payloads("server") };
}

for (const contextTakeover of [false, true]) {
  describe(`C-18 references ${contextTakeover ? "with" : "without"} context takeover`, () => {
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      test(`stay within 2^${windowBits} bytes`, async () => {
        const wire = await record(contextTakeover, windowBits);
        for (const role of ["client", "server"] as const) {
          assertEquals(wire[role].length, MESSAGES.length);
          let before = new Uint8Array(0);
          for (const [i, payload] of wire[role].entries()) {
            const stream = joinBytes(payload, TAIL);
            const { bytes, farthest } = inflate(stream, 1 << windowBits, before);
            assertEquals(bytes, MESSAGES[i]);
            assert(farthest > 0, "nothing was found to refer to");
            if (contextTakeover) before = joinBytes(before, bytes);
          }
        }
      });
    }
  });
}
