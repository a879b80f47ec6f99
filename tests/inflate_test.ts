/** The reference judges others: so it is judged first. @module */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { hex, utf8 } from "./core/wire.ts";
import { seededBytes } from "./cuts.ts";
import { inflate } from "./inflate.ts";

test("inflate() reads what zlib writes, at every level and strategy", () => {
  const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY } = constants;
  const samples = [
    new Uint8Array(0),
    utf8("Hello"),
    new Uint8Array(3000),
    seededBytes(5000, 1),
    seededBytes(9000, 2).map((byte, i) => i % 7 < 4 ? byte & 3 : i >> 4),
  ];
  for (const sample of samples) {
    for (let level = 0; level <= 9; level += 3) {
      for (const strategy of [Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY]) {
        const { bytes, isFinal } = inflate(deflateRawSync(sample, { level, strategy }));
        assertEquals(bytes, sample);
        assertEquals(isFinal, true);
      }
    }
  }
});

test("inflate() measures how far references go, and refuses those that go too far", () => {
  const needle = seededBytes(50, 4);
  const between = seededBytes(2000, 3).map((byte) => byte & 63);
  const sample = new Uint8Array([...needle, ...between, ...needle]);
  const stream = deflateRawSync(sample);
  const { farthest } = inflate(stream);
  assertEquals(farthest, 2050);
  assertEquals(inflate(stream, 2050).bytes, sample);
  assertThrows(() => inflate(stream, 2049), Error, "out of the window");
});

test("inflate() refuses what RFC 1951 does not allow", () => {
  assertThrows(() => inflate(hex("07")), Error, "does not exist");
  assertThrows(() => inflate(hex("00 05 00 00 00")), Error, "contradict");
  assertThrows(() => inflate(hex("f2 00 11 00 00 00 00 ff ff")), Error, "before the start");
  assertThrows(() => inflate(hex("f2 48")), Error, "ends inside");
  const { bytes } = inflate(hex("f2 00 11 00 00 00 00 ff ff"), 32_768, utf8("Hello"));
  assert(new TextDecoder().decode(bytes) === "Hello");
});
