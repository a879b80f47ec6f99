import { describe } from "node:test";
import { assertEquals } from "@std/assert";
import { applyMask, applyMaskWithin, copyMasked } from "../../src/core/mask.ts";
import { WordBuffer } from "../../src/core/mask_words.ts";
import { seededBytes, seededRandom } from "../cuts.ts";
import { xor } from "../frames.ts";
import { testBothWidths } from "./both_widths.ts";
import { hex } from "./wire.ts";

/** Each octet of it is different, and the first has its highest bit set. */
const KEY = 0x81020304;
const KEY_BYTES = hex("81020304");

/** Around every number of words, and longer than what is unrolled. */
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 79, 80, 127, 128]
  .concat(1000, 65_537);

/** `payload` at an offset of a larger buffer, whose other bytes must not change. */
function place(payload: Uint8Array, offset: number): { bytes: Uint8Array; around: () => number[] } {
  const all = new Uint8Array(offset + payload.length + 8).fill(0xee);
  all.set(payload, offset);
  const bytes = all.subarray(offset, offset + payload.length);
  return { bytes, around: () => [...all.subarray(0, offset), ...all.subarray(-8)] };
}

describe("applyMask()", () => {
  testBothWidths("masks the Hello of RFC 6455 section 5.7", () => {
    const bytes = hex("48656c6c6f");
    applyMask(bytes, 0x37fa213d);
    assertEquals(bytes, hex("7f9f4d5158"));
  });

  testBothWidths(
    "XORs octet i with octet i modulo 4 of the key, at any length and alignment",
    () => {
      for (const length of LENGTHS) {
        const payload = seededBytes(length, length + 1);
        for (let offset = 0; offset < 8; offset++) {
          const { bytes, around } = place(payload, offset);
          applyMask(bytes, KEY);
          assertEquals(bytes, xor(payload, KEY_BYTES), `length ${length}, offset ${offset}`);
          assertEquals(around(), new Array(offset + 8).fill(0xee));
        }
      }
    },
  );

  testBothWidths("goes on at any phase, also one beyond 32 bits", () => {
    const payload = seededBytes(300, 1);
    for (const phase of [0, 1, 2, 3, 4, 5, 6, 7, 2 ** 31 + 1, 2 ** 32 + 2, 2 ** 52 + 3]) {
      const before = new Uint8Array(phase % 4);
      for (const length of [3, 300]) {
        const bytes = payload.slice(0, length);
        const expected = xor(Uint8Array.of(...before, ...bytes), KEY_BYTES).slice(before.length);
        applyMask(bytes, KEY, phase);
        assertEquals(bytes, expected, `phase ${phase}, length ${length}`);
      }
    }
  });

  testBothWidths("masks pieces as it masks the whole", () => {
    const payload = seededBytes(1000, 2);
    const random = seededRandom(3);
    const pieces = payload.slice();
    for (let at = 0; at < pieces.length;) {
      const end = at + Math.floor(random() * 150);
      applyMask(pieces.subarray(at, end), KEY, at);
      at = end;
    }
    assertEquals(pieces, xor(payload, KEY_BYTES));
  });

  testBothWidths("unmasks what it has masked", () => {
    for (const key of [0, 1, 0xff, 0x01020304, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const bytes = seededBytes(200, key);
      applyMask(bytes, key);
      applyMask(bytes, key);
      assertEquals(bytes, seededBytes(200, key));
    }
  });

  testBothWidths("F-3 leaves everything as it is under key 0", () => {
    const bytes = seededBytes(100, 4);
    applyMask(bytes, 0, 1);
    assertEquals(bytes, seededBytes(100, 4));
  });
});

/** Lengths on both sides of every way in which a copy may be made. */
const COPIED = [...LENGTHS, 16_383, 16_384, 16_385];

describe("copyMasked()", () => {
  testBothWidths("writes a masked copy to any place, from any place, and nothing else", () => {
    for (const length of COPIED) {
      const source = seededBytes(length + 7, length);
      for (let start = 0; start < 8; start++) {
        const payload = source.subarray(start, start + length);
        for (const [key, expected] of [[KEY, xor(payload, KEY_BYTES)], [0, payload]] as const) {
          const { bytes, around } = place(new Uint8Array(length), start + 1);
          const target = new Uint8Array(bytes.buffer);
          copyMasked(target, start + 1, source, start, length, key);
          assertEquals(bytes, expected, `length ${length}, start ${start}, key ${key}`);
          assertEquals(around(), new Array(start + 9).fill(0xee));
        }
      }
      assertEquals(source, seededBytes(length + 7, length));
    }
  });
});

describe("applyMaskWithin()", () => {
  testBothWidths("masks in place, from any place to any place, and nothing else", () => {
    for (const length of LENGTHS) {
      for (let start = 0; start < 9; start++) {
        const buffer = new WordBuffer((length + start + 15) & ~7);
        buffer.bytes.set(seededBytes(buffer.bytes.length, length));
        const before = buffer.bytes.slice();
        applyMaskWithin(buffer, start, start + length, KEY);
        const payload = before.subarray(start, start + length);
        payload.set(xor(payload, KEY_BYTES));
        assertEquals(buffer.bytes, before, `length ${length}, start ${start}`);
        applyMaskWithin(buffer, start, start + length, 0);
        assertEquals(buffer.bytes, before);
      }
    }
  });
});
