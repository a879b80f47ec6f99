import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { CloseCode, isValidCloseCode } from "../../src/core/close_code.ts";

const VALID: ReadonlyArray<readonly [from: number, to: number]> = [
  [1000, 1003],
  [1007, 1014],
  [3000, 4999],
];

test("isValidCloseCode() accepts 1000-1003, 1007-1014 and 3000-4999, and no other 16-bit code", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const expected = VALID.some(([from, to]) => from <= code && code <= to);
    assert(
      isValidCloseCode(code) === expected,
      `isValidCloseCode(${code}) is ${!expected}`,
    );
  }
});

test("isValidCloseCode() refuses numbers that are not whole", () => {
  for (const code of [1000.5, NaN, Infinity, -Infinity, -1000]) {
    assertEquals(isValidCloseCode(code), false);
  }
});

test("every code in CloseCode may be sent, except 1005, 1006 and 1015", () => {
  const local = Object.values(CloseCode).filter((code) => !isValidCloseCode(code));
  assertEquals(local, [
    CloseCode.NoStatus,
    CloseCode.Abnormal,
    CloseCode.TlsHandshake,
  ]);
});

test("CloseCode fits into two bytes, each code once", () => {
  const codes = Object.values(CloseCode);
  assertEquals(new Set(codes).size, codes.length);
  assertEquals(
    encodeHex(new Uint8Array([CloseCode.Normal >> 8, CloseCode.Normal & 0xff])),
    "03e8",
  );
});
