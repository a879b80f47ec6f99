/** Base64 of any bytes, beside the platform's. @module */

import { encodeBase64 } from "@std/encoding/base64";
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { base64Length, toBase64, writeBase64 } from "../../src/core/base64.ts";
import { seededBytes } from "../cuts.ts";

test("toBase64() is the base64 of RFC 4648, whatever the length", () => {
  for (let length = 0; length <= 300; length++) {
    const bytes = seededBytes(length, length);
    const text = toBase64(bytes);
    assertEquals(text, encodeBase64(bytes));
    assertEquals(base64Length(length), text.length);
  }
});

test("writeBase64() writes where it is told to and nowhere else", () => {
  const target = new Uint8Array(20).fill(1);
  writeBase64(target, 5, Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc));
  const text = String.fromCharCode(...target);
  assertEquals(text, `${"\x01".repeat(5)}//79/A==${"\x01".repeat(7)}`);
});
