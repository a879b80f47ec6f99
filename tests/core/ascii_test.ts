import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { asciiScratch, decodeAscii, encodeAscii, useAsciiDecoder } from "../../src/core/ascii.ts";
import { decodeUtf8 } from "../../src/core/utf8.ts";
import { utf8 } from "./wire.ts";

const LONGEST = asciiScratch.length;

/** Every character from U+0000 to U+007F, over and over. */
const ascii = (length: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(i & 0x7f)).join("");

describe("encodeAscii()", () => {
  test("gives the bytes of ASCII of every length", () => {
    for (let length = 0; length <= 140; length++) {
      assertEquals(encodeAscii(ascii(length)), true);
      assertEquals(asciiScratch.subarray(0, length), utf8(ascii(length)));
    }
    assertEquals(encodeAscii(ascii(LONGEST)), true);
    assertEquals(asciiScratch.subarray(), utf8(ascii(LONGEST)));
  });

  test("refuses what is not ASCII, wherever it stands", () => {
    for (const other of ["\x80", "é", "\u0100", "€", "\ud800", "\uff41"]) {
      for (let length = 0; length < 9; length++) {
        for (let at = 0; at <= length; at++) {
          const text = ascii(length).slice(0, at) + other + ascii(length).slice(at);
          assertEquals(encodeAscii(text), false, JSON.stringify(text));
        }
      }
    }
  });

  test("refuses what is too long", () => {
    assertEquals(encodeAscii(ascii(LONGEST + 1)), false);
  });
});

describe("decodeAscii()", () => {
  const decoders = {
    "of the web": (bytes: Uint8Array) => (length: number) => decodeUtf8(bytes.subarray(0, length)),
    "of Buffer": ({ buffer }: Uint8Array<ArrayBuffer>) => (length: number) =>
      Buffer.from(buffer).toString("latin1", 0, length),
  };

  function check(): void {
    for (const length of [0, 1, 2, 3, 20, 125, 1024, LONGEST]) {
      encodeAscii(ascii(length));
      assertEquals(decodeAscii(length), ascii(length));
    }
  }

  test("gives the text, before anybody has said how", check);

  for (const [name, create] of Object.entries(decoders)) {
    test(`gives the text by the decoder ${name}`, () => {
      let calls = 0;
      useAsciiDecoder((bytes) => {
        const decode = create(bytes);
        return (length) => (calls++, decode(length));
      });
      check();
      assertEquals(calls, 8);
    });
  }
});
