import { describe, test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/core/errors.ts";
import { decodeUtf8, encodeUtf8, useLenientDecoder, Utf8Validator } from "../../src/core/utf8.ts";
import { cuts } from "../cuts.ts";
import { CUT_TEXT, NOT_TEXT } from "./vectors.ts";
import { hex, utf8 } from "./wire.ts";

/** How many of `bytes`, one after another, the validator takes without a complaint. */
function countAccepted(bytes: ArrayLike<number>): number {
  const validator = new Utf8Validator();
  for (let i = 0; i < bytes.length; i++) {
    try {
      validator.push(Uint8Array.of(bytes[i]));
    } catch (error) {
      assert(error instanceof ProtocolError && error.closeCode === 1007);
      return i;
    }
  }
  return bytes.length;
}

/** All beginnings of all characters, each as a number whose digits to base 256 are its bytes. */
function allBeginnings(): Set<number> {
  const beginnings = new Set<number>();
  const add = (from: number, to: number): void => {
    const characters = Array.from({ length: to - from }, (_, i) => String.fromCodePoint(from + i));
    const bytes = new TextEncoder().encode(characters.join(""));
    let beginning = 0;
    for (const byte of bytes) {
      const continues = byte >= 0x80 && byte <= 0xbf;
      beginning = continues ? beginning * 256 + byte : byte;
      beginnings.add(beginning);
    }
  };
  for (let from = 0; from < 0x110000; from += 0x800) {
    if (from !== 0xd800) add(from, from + 0x800);
  }
  return beginnings;
}

describe("Utf8Validator", () => {
  test("accepts exactly the beginnings of characters, up to every bound of every byte", () => {
    const beginnings = allBeginnings();
    const bounds = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    const check = (bytes: number[]): void => {
      const beginning = bytes.reduce((number, byte) => number * 256 + byte, 0);
      const accepted = countAccepted(bytes) === bytes.length;
      assert(accepted === beginnings.has(beginning), `${bytes}: ${accepted}`);
      const isCharacter = bytes.length === 1 && bytes[0] < 0x80 ||
        beginnings.has(beginning) && !beginnings.has(beginning * 256 + 0x80) &&
          !beginnings.has(beginning * 256 + 0x90) && !beginnings.has(beginning * 256 + 0xa0);
      if (!accepted || isCharacter || bytes.length === 4) return;
      for (const byte of bytes.length === 1 ? Array(256).keys() : bounds) check([...bytes, byte]);
    };
    for (let first = 0; first < 256; first++) check([first]);
  });

  for (const [bytes, why, impossible] of NOT_TEXT) {
    test(`F-40 fails at byte ${impossible} of ${bytes}: ${why}`, () => {
      assertEquals(countAccepted(hex(bytes)), impossible);
      for (const { name, pieces } of cuts(hex(bytes))) {
        const validator = new Utf8Validator();
        const push = () => pieces.forEach((piece) => validator.push(piece));
        const { closeCode } = assertThrows(push, ProtocolError, "Text is not valid UTF-8", name);
        assertEquals(closeCode, 1007);
      }
    });
  }

  for (const bytes of CUT_TEXT.slice(0, -1)) {
    test(`F-40 finish() fails behind ${bytes}, which ends inside a character`, () => {
      const validator = new Utf8Validator();
      validator.push(hex(bytes));
      const { closeCode } = assertThrows(() => validator.finish(), ProtocolError);
      assertEquals(closeCode, 1007);
    });
  }

  test("checks one text after another", () => {
    const validator = new Utf8Validator();
    for (const text of ["", "a", "é€😀", "\ufeff", "\0\ufffe\uffff"]) {
      for (const { pieces } of cuts(encodeUtf8(text))) {
        for (const piece of pieces) validator.push(piece);
        validator.finish();
      }
    }
  });
});

/** Decodes by either decoder first, whichever this runtime would take. */
function testBoth(name: string, body: () => void): void {
  for (const isLenient of [false, true]) {
    test(`${name} (${isLenient ? "lenient" : "strict"} decoder first)`, () => {
      useLenientDecoder(isLenient);
      try {
        body();
      } finally {
        useLenientDecoder(false);
      }
    });
  }
}

describe("decodeUtf8()", () => {
  testBoth("F-40 keeps a byte order mark", () => {
    assertEquals(decodeUtf8(hex("efbbbf616263")), "\ufeffabc");
    assertEquals(decodeUtf8(hex("efbbbfefbbbf")), "\ufeff\ufeff");
  });

  for (const [bytes, why] of [...NOT_TEXT, ...CUT_TEXT.map((cut) => [cut, "cut"] as const)]) {
    testBoth(`F-40 fails for ${bytes}: ${why}`, () => {
      const decode = () => decodeUtf8(hex(bytes));
      assertEquals(assertThrows(decode, ProtocolError, "not valid UTF-8").closeCode, 1007);
    });
  }

  testBoth("F-40 keeps a replacement character that was sent", () => {
    assertEquals(decodeUtf8(hex("efbfbd")), "\ufffd");
    assertEquals(decodeUtf8(utf8("a\ufffdé😀\ufffd")), "a\ufffdé😀\ufffd");
    const decode = () => decodeUtf8(hex("efbfbd ff"));
    assertEquals(assertThrows(decode, ProtocolError, "not valid UTF-8").closeCode, 1007);
  });

  testBoth(
    "agrees with the validator about all bytes in twos, and the bounds of three and four",
    () => {
      const bounds = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xed, 0xef, 0xff];
      const isText = (bytes: Uint8Array): boolean => {
        const validator = new Utf8Validator();
        try {
          validator.push(bytes);
          validator.finish();
          return true;
        } catch {
          return false;
        }
      };
      const check = (bytes: number[]): void => {
        const wire = Uint8Array.from(bytes);
        if (isText(wire)) assertEquals(encodeUtf8(decodeUtf8(wire)), wire);
        else assertThrows(() => decodeUtf8(wire), ProtocolError, "not valid UTF-8", `${bytes}`);
      };
      for (let first = 0; first < 256; first++) {
        for (let second = 0; second < 256; second++) check([first, second]);
        for (const second of first < 0xc0 ? [] : bounds) {
          for (const third of bounds) {
            check([first, second, third]);
            if (first >= 0xf0) {
              for (const fourth of bounds) check([first, second, third, fourth]);
            }
          }
        }
      }
    },
  );

  test("refuses what no string can hold, before it looks at it", () => {
    const decode = () => decodeUtf8(new Uint8Array(0x1fffffe9));
    const error = assertThrows(decode, ProtocolError, "536870889 bytes is more than the 536870888");
    assertEquals(error.closeCode, 1009);
  });

  testBoth("takes text of every length up to several words of memory", () => {
    for (let length = 0; length < 70; length++) {
      const text = "a€".repeat(length).slice(0, length);
      assertEquals(decodeUtf8(encodeUtf8(text)), text);
    }
  });
});

describe("encodeUtf8()", () => {
  test("gives the bytes of each length", () => {
    assertEquals(encodeUtf8("aé€😀"), hex("61 c3a9 e282ac f09f9880"));
  });

  test("turns a lone surrogate into U+FFFD", () => {
    assertEquals(encodeUtf8("a\ud800b\udc00"), hex("61 efbfbd 62 efbfbd"));
  });
});
