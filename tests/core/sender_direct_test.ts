import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import type { DirectWriter, Sender } from "../../src/core/sender.ts";
import { seededBytes } from "../cuts.ts";
import { decodeFrames, encodeFrame, joinBytes } from "../frames.ts";
import { createClient, createServer, KIB, takeAll } from "./senders.ts";
import { hex } from "./wire.ts";

const LONG = 600 * KIB;

/** Takes `room` bytes, and then none. */
class Writer implements DirectWriter {
  readonly taken: Uint8Array[] = [];
  #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  tryWrite(bytes: Uint8Array): number {
    const piece = bytes.slice(0, this.#room);
    this.#room -= piece.length;
    this.taken.push(piece);
    return piece.length;
  }
}

/** What the peer gets: what was written directly, then what was queued. */
function written(sender: Sender, writer: Writer): Uint8Array {
  return joinBytes(...writer.taken, ...takeAll(sender));
}

describe("Sender with a writer", () => {
  const message = seededBytes(LONG, 7);
  const frame = encodeFrame({ opcode: 2, payload: message });

  for (const room of [0, 1, 9, 10, 11, 1000, 300 * KIB, LONG + 9, LONG + 10]) {
    test(`loses nothing where ${room} bytes of ${LONG + 10} are taken at once`, () => {
      const sender = createServer();
      const writer = new Writer(room);
      const own = message.slice();
      sender.message(own, undefined, writer);
      own.fill(0); // the caller's again
      const isGone = room === LONG + 10;
      assertEquals([sender.hasOutput, sender.bufferedAmount], [!isGone, isGone ? 0 : LONG]);
      sender.message("behind", undefined, writer);
      assertEquals(written(sender, writer), joinBytes(frame, hex("81 06 626568696e64")));
      assertEquals(sender.bufferedAmount, 0);
    });
  }

  test("lets no pong into a frame of which the writer has taken only the beginning", () => {
    const sender = createServer();
    const writer = new Writer(1000);
    sender.message(message, undefined, writer);
    sender.pong(hex("01"));
    const frames = decodeFrames("server", written(sender, writer));
    assertEquals(frames.map(({ opcode }) => opcode), [2, 10]);
  });

  test("writes a long text directly", () => {
    const sender = createServer();
    const writer = new Writer(Infinity);
    sender.message("x".repeat(70_000), undefined, writer);
    assertEquals([sender.hasOutput, writer.taken.map(({ length }) => length)], [false, [
      10,
      70_000,
    ]]);
  });

  test("writes nothing directly while something waits to be written", () => {
    const sender = createServer();
    const writer = new Writer(Infinity);
    sender.pong(hex("01"));
    sender.message(message, undefined, writer);
    sender.message(message, undefined, writer);
    assertEquals(writer.taken, []);
    assertEquals(decodeFrames("server", written(sender, writer)).map(({ opcode }) => opcode), [
      10,
      2,
      2,
    ]);
  });

  test("writes nothing directly of short messages, nor of masked ones", () => {
    const writer = new Writer(Infinity);
    createServer().message(new Uint8Array(64 * KIB - 1), undefined, writer);
    createClient().sender.message(message, undefined, writer);
    assertEquals(writer.taken, []);
    const sender = createServer();
    sender.message(message, undefined, {});
    assert(sender.hasOutput);
  });

  test("writes nothing behind a Close frame", () => {
    const writer = new Writer(Infinity);
    const sender = createServer();
    sender.close();
    takeAll(sender);
    assertThrows(() => sender.message(message, undefined, writer), TypeError, "a Close frame");
    assertEquals(writer.taken, []);
  });
});
