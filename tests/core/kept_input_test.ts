/** A protocol that has nothing to do keeps no read alive. @module */

import { assertEquals } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import type { Protocol } from "../../src/core/protocol.ts";
import { collectGarbage } from "../garbage.ts";
import { createCompressed, SlowCodec, turn } from "./codecs.ts";
import { createProtocol, takeEvents, WAYS } from "./transcript.ts";
import { frame, type RawFrame, wire } from "./wire.ts";

const long = new Uint8Array(20_000).fill(7);

/** What may come last in a read. */
const LAST: readonly [name: string, frame: RawFrame][] = [
  ["a short text", frame(0x81, "short")],
  ["a text that is not ASCII", frame(0x81, "é")],
  ["a short binary message", frame(0x82, long.subarray(0, 200))],
  ["a long one", frame(0x82, long)],
  ["a first fragment", frame(0x02, long.subarray(0, 200))],
  ["a ping", frame(0x89, "here?")],
];

/** Gives the protocol a read, and keeps no reference to it. */
function receive(protocol: Protocol, bytes: Uint8Array): WeakRef<Uint8Array> {
  const read = bytes.slice();
  protocol.receive(read);
  return new WeakRef(read);
}

/** What all protocols have for their last read holds another one's. */
function takeItsPlace(): void {
  const other = createProtocol("server");
  other.receive(wire("server", frame(0x81, "other"), frame(0x82, long.subarray(0, 200))));
  takeEvents(other);
}

async function isKept(read: WeakRef<Uint8Array>): Promise<boolean> {
  takeItsPlace();
  await turn(); // a WeakRef holds on until then
  collectGarbage();
  return read.deref() !== undefined;
}

/** Bun's collector can't be asked in the same way. */
const onV8 = { skip: process.versions.bun !== undefined };

describe("a read is kept", () => {
  test("as long as something is left in it", onV8, async () => {
    const protocol = createProtocol("server");
    const read = receive(protocol, wire("server", frame(0x81, "a"), frame(0x81, "b")));
    protocol.next();
    assertEquals(await isKept(read), true);
    protocol.next();
    assertEquals(await isKept(read), false);
  });

  for (const [name, last] of LAST) {
    test(`no longer than until its end, which is ${name}`, onV8, async () => {
      for (const way of WAYS) {
        const protocol = createProtocol("server");
        const read = receive(protocol, wire("server", last));
        while (protocol.hasInput && takeEvents(protocol, way).length > 0);
        assertEquals(await isKept(read), false, way);
      }
    });
  }

  test("no longer than until the inflater has done its last message", onV8, async () => {
    const codec = new SlowCodec();
    const protocol = createCompressed("server", codec);
    const read = receive(protocol, wire("server", frame(0xc2, long)));
    assertEquals(protocol.next(), null);
    for (let calls = 0; protocol.hasInput && calls < 10; calls++) {
      if (codec.waiting > 0) await codec.go();
      protocol.next();
    }
    assertEquals([protocol.hasInput, await isKept(read)], [false, false]);
  });
});
