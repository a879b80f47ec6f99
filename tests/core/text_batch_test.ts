import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { TextBatch } from "../../src/core/text_batch.ts";
import { seededRandom } from "../cuts.ts";
import { encodeFrame, joinBytes, MASK } from "../frames.ts";
import { utf8 } from "./wire.ts";

const KEY = 0x01020304;

/** A masking key of its own for each frame. */
function keyBytes(i: number): number[] {
  return [i & 0xff, 0xf1, 0x80 | i >> 8, 7];
}

/** What a receiver would ask for: each of the texts, framed one behind the other. */
function takeAll(texts: readonly string[], isMasked: boolean): (string | null)[] {
  const frames = texts.map((text, i) =>
    encodeFrame({
      opcode: 1,
      payload: utf8(text),
      mask: isMasked ? Uint8Array.from(keyBytes(i)) : undefined,
    })
  );
  const input = joinBytes(...frames);
  const batch = new TextBatch();
  let at = 0;
  return frames.map((frame, i) => {
    at += frame.length;
    const { length } = utf8(texts[i]);
    const [a, b, c, d] = keyBytes(i);
    return batch.take(input, at - length, length, isMasked ? a << 24 | b << 16 | c << 8 | d : null);
  });
}

/** What it must get: `null` stands for "decode it on its own". */
function check(texts: readonly string[], expected: readonly (string | null)[] = texts): void {
  for (const isMasked of [true, false]) assertEquals(takeAll(texts, isMasked), expected);
}

describe("TextBatch", () => {
  test("finds every text of a read", () => {
    check(["a"]);
    check([""]);
    check(["", ""]);
    check(["a", "bc", "", "def", ""]);
    check(Array.from({ length: 500 }, (_, i) => `message ${i}`));
  });

  test("unmasks texts of every length", () => {
    check(Array.from({ length: 126 }, (_, i) => "abcdefg".repeat(18).slice(0, i)));
  });

  test("leaves texts of more than 125 bytes to others, and goes on behind them", () => {
    const long = "x".repeat(126);
    check([long], [null]);
    check(["a", long, "b", "c"], ["a", null, "b", "c"]);
    check(["y".repeat(125), long], ["y".repeat(125), null]);
  });

  test("leaves texts with anything but ASCII to others", () => {
    check(["é"], [null]);
    check(["a", "b", "é"], [null, null, null]);
    check(["", "é"], ["", null]);
  });

  test("goes on when as much has been decoded as is decoded at once", () => {
    check(Array.from({ length: 40 }, (_, i) => `${i}`.repeat(50)));
    check(Array.from({ length: 40 }, (_, i) => `${i % 10}`.repeat(i % 4 === 0 ? 125 : 1)));
  });

  test("stops at what is no whole text frame", () => {
    const a = encodeFrame({ opcode: 1, payload: utf8("a"), mask: MASK });
    const others = [
      encodeFrame({ opcode: 2, payload: utf8("b"), mask: MASK }),
      encodeFrame({ opcode: 1, fin: false, payload: utf8("b"), mask: MASK }),
      joinBytes(encodeFrame({ opcode: 1, payload: utf8("b") }), MASK), // no mask
      encodeFrame({ opcode: 1, payload: utf8("b"), mask: MASK }).subarray(0, 6),
      encodeFrame({ opcode: 1, payload: utf8("b"), mask: MASK }).subarray(0, 5),
      encodeFrame({ opcode: 9, payload: utf8("b"), mask: MASK }),
    ];
    for (const other of others) {
      assertEquals(new TextBatch().take(joinBytes(a, other), 6, 1, KEY), "a");
    }
  });

  test("knows nothing of other bytes in the same place, once told of them", () => {
    const batch = new TextBatch();
    const place = new Uint8Array(6);
    for (const text of ["a", "b"]) {
      const frame = encodeFrame({ opcode: 1, payload: utf8(text) });
      place.set(joinBytes(frame, frame));
      batch.renew(place);
      assertEquals([batch.take(place, 2, 1, null), batch.take(place, 5, 1, null)], [text, text]);
    }
  });

  test("serves reads in turns, each its own texts", () => {
    const batch = new TextBatch();
    const reads = ["a", "b", "c"].map((name) => ({
      name,
      input: joinBytes(
        ...Array.from(
          { length: 50 },
          (_, i) => encodeFrame({ opcode: 1, payload: utf8(name + String(i % 10)), mask: MASK }),
        ),
      ),
      next: 0,
    }));
    const random = seededRandom(7);
    for (let turn = 0; turn < 1000; turn++) {
      const read = reads[Math.floor(random() * 3)];
      if (random() < 0.1) batch.renew(read.input);
      if (read.next === 50) continue;
      const text = batch.take(read.input, 8 * read.next + 6, 2, KEY);
      assertEquals(text, read.name + String(read.next++ % 10));
    }
    assertEquals(reads.map(({ next }) => next), [50, 50, 50]);
  });

  test("agrees with decoding each on its own", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed);
      const texts = Array.from({ length: 60 }, () => {
        const letter = random() < 0.02 ? "ß" : String.fromCharCode(97 + Math.floor(random() * 26));
        return letter.repeat(Math.floor(random() * (random() < 0.1 ? 140 : 20)));
      });
      for (const isMasked of [true, false]) {
        for (const [i, text] of takeAll(texts, isMasked).entries()) {
          if (text !== null) assertEquals(text, texts[i], `seed ${seed}, text ${i}`);
        }
      }
    }
  });
});
