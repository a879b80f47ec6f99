import { assertEquals } from "@std/assert";
import { describe } from "node:test";
import { ReadWindow } from "../../src/core/read_window.ts";
import { seededBytes } from "../cuts.ts";
import { xor } from "../frames.ts";
import { testBothWidths } from "./both_widths.ts";
import { hex } from "./wire.ts";

const KEY = 0x81020304;
const KEY_BYTES = hex("81020304");

/** On both sides of every way in which a payload may be unmasked. */
const LENGTHS = [0, 1, 2, 3, 4, 5, 63, 64, 65, 71, 72, 73, 1000, 4095, 4096, 4097, 16_385, 65_537];

/** Copies of what comes before `start`, from there to `end`, and behind. */
function cut(bytes: Uint8Array, start: number, end: number): Uint8Array[] {
  return [bytes.slice(0, start), bytes.slice(start, end), bytes.slice(end)];
}

describe("ReadWindow", () => {
  testBothWidths(
    "unmask() returns an array of its own, and leaves other payloads as they were",
    () => {
      const window = new ReadWindow();
      for (const length of LENGTHS) {
        for (const start of [0, 3, 8]) {
          for (const key of [KEY, 0]) {
            const input = seededBytes(length + start + 7, length);
            const [before, payload, behind] = cut(input, start, start + length);
            const expected = key === 0 ? payload : xor(payload, KEY_BYTES);
            const first = window.unmask(input, start, length, key);
            assertEquals(first, expected, `length ${length}, start ${start}, key ${key}`);
            assertEquals(first.buffer.byteLength, length);
            window.unmask(seededBytes(length, 99), 0, length, 0xdeadbeef);
            assertEquals(first, expected, "what comes next must not change it");
            const [stillBefore, , stillBehind] = cut(input, start, start + length);
            assertEquals([stillBefore, stillBehind], [before, behind]);
          }
        }
      }
    },
  );

  testBothWidths("unmaskOnce() gives the same bytes", () => {
    const window = new ReadWindow();
    for (const length of LENGTHS) {
      for (const key of [KEY, 0]) {
        const input = seededBytes(length + 10, length);
        const payload = input.slice(3, 3 + length);
        const expected = key === 0 ? payload : xor(payload, KEY_BYTES);
        assertEquals(window.unmaskOnce(input, 3, length, key), expected, `length ${length}`);
      }
    }
  });

  testBothWidths("renew() is what tells it that other bytes are in the same array", () => {
    const window = new ReadWindow();
    for (const size of [200, 20_000]) {
      const input = new Uint8Array(size);
      for (const seed of [1, 2]) {
        input.set(seededBytes(size, seed));
        window.renew(input);
        const expected = xor(input.subarray(6, 106), KEY_BYTES);
        assertEquals(
          window.unmask(input, 6, 100, KEY),
          expected,
          `${size} bytes, the ${seed}. time`,
        );
      }
    }
  });

  testBothWidths(
    "the payloads of one short read are right at any place, in between those of others",
    () => {
      const window = new ReadWindow();
      const [a, b] = [seededBytes(4200, 1), seededBytes(3000, 2)];
      for (let at = 0, length = 64; at + length < 3000; at += length + 7, length += 13) {
        for (const input of [a, b]) {
          const expected = xor(input.subarray(at, at + length), KEY_BYTES);
          assertEquals(window.unmask(input, at, length, KEY), expected, `${length} bytes at ${at}`);
        }
      }
    },
  );

  testBothWidths("a long payload between shorter ones of the same read", () => {
    const window = new ReadWindow();
    for (const behind of [500, 20_000]) { // the read fits into the window, or does not
      const input = seededBytes(1000 + 5000 + behind, behind);
      for (const [at, length] of [[3, 900], [1000, 5000], [6000, 450]]) {
        const expected = xor(input.slice(at, at + length), KEY_BYTES);
        assertEquals(window.unmask(input, at, length, KEY), expected, `${length} bytes at ${at}`);
      }
    }
  });

  testBothWidths("every payload of a read is right, whoever's reads come in between", () => {
    const window = new ReadWindow();
    const reads = [1, 2, 3].map((seed) => ({ input: seededBytes(50_000, seed), at: 0, seed }));
    const sizes = seededBytes(2000, 7);
    for (const [i, size] of sizes.entries()) {
      const read = reads[sizes[(i * 7) % sizes.length] % 3];
      const length = i % 50 === 0 ? size * 80 : size; // now and then one that is longer than the window
      if (read.at + length > read.input.length) {
        // The same array, with other bytes in it: a connection's buffer that is read into again.
        read.input.set(seededBytes(50_000, read.seed += 3));
        read.at = 0;
        window.renew(read.input);
      }
      const payload = read.input.slice(read.at, read.at + length);
      const bytes = i % 2 === 0
        ? window.unmask(read.input, read.at, length, KEY)
        : window.unmaskOnce(read.input, read.at, length, KEY);
      assertEquals(bytes, xor(payload, KEY_BYTES), `payload ${i} of ${length} bytes`);
      read.at += length + 6;
    }
  });
});
