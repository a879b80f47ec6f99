import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { decodeClose, encodeClose, MAX_REASON_SIZE, truncateReason } from "../../src/core/close.ts";
import { ProtocolError } from "../../src/core/errors.ts";
import { hex, utf8 } from "./wire.ts";

/** The message that says why `encodeClose(...args)` throws an error of this class. */
function refusal(
  errorClass: typeof TypeError | typeof RangeError,
  ...args: readonly unknown[]
): string {
  const encode = encodeClose as (...args: readonly unknown[]) => Uint8Array;
  return assertThrows(() => encode(...args), errorClass).message;
}

describe("decodeClose()", () => {
  test("X-5 reads an empty payload as code 1005", () => {
    assertEquals(decodeClose(new Uint8Array(0)), { code: 1005, reason: "" });
  });

  test("X-1 rejects a payload of 1 byte", () => {
    const error = assertThrows(() => decodeClose(hex("03")), ProtocolError, "payload of 1 byte");
    assertEquals(error.closeCode, 1002);
  });

  test("X-2 reads codes with their reasons", () => {
    assertEquals(decodeClose(hex("03e8")), { code: 1000, reason: "" });
    assertEquals(decodeClose(hex("1387 c3a9")), { code: 4999, reason: "é" });
    assertEquals(decodeClose(hex("03f6 efbbbf61")), { code: 1014, reason: "\ufeffa" });
  });

  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]) {
    test(`X-2 rejects code ${code}`, () => {
      const payload = Uint8Array.of(code >> 8, code & 0xff);
      const error = assertThrows(() => decodeClose(payload), ProtocolError);
      assertEquals(error.message, `Close code ${code} is not allowed`);
      assertEquals(error.closeCode, 1002);
    });
  }

  test("X-4 rejects a reason that is not UTF-8 with 1007", () => {
    const error = assertThrows(() => decodeClose(hex("03e8 eafc")), ProtocolError);
    assertEquals(error.closeCode, 1007);
  });
});

describe("encodeClose()", () => {
  test("X-3 makes an empty payload without a code", () => {
    assertEquals(encodeClose(), new Uint8Array(0));
    assertEquals(encodeClose(undefined, ""), new Uint8Array(0));
  });

  test("writes code and reason", () => {
    assertEquals(encodeClose(1000), hex("03e8"));
    assertEquals(encodeClose(4999, "é"), hex("1387 c3a9"));
  });

  test("pairs with decodeClose() for every code that may be sent", () => {
    for (let code = 1000; code < 5000; code++) {
      if (code > 1014 && code < 3000 || code >= 1004 && code <= 1006) continue;
      assertEquals(decodeClose(encodeClose(code, "r")), { code, reason: "r" });
    }
  });

  for (const code of [0, -1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_536 + 1000]) {
    test(`X-3 refuses code ${code} with a RangeError`, () => {
      const message = `Cannot close: code ${code} is not one of 1000-1003, 1007-1014, 3000-4999`;
      assertEquals(refusal(RangeError, code), message);
    });
  }

  for (const code of [1000.5, NaN, Infinity]) {
    test(`X-3 refuses code ${code} with a RangeError`, () => {
      refusal(RangeError, code);
    });
  }

  test("X-3 refuses a code that is not a number", () => {
    assertEquals(
      refusal(TypeError, "1000"),
      "Cannot close: the code is of type string, not number",
    );
    for (const code of [null, true, {}, 1000n, new Date(1000)]) refusal(TypeError, code);
  });

  test("X-3 refuses a reason that is not a string", () => {
    assertEquals(
      refusal(TypeError, 1000, 5),
      "Cannot close: the reason is of type number, not string",
    );
    for (const reason of [null, utf8("bye"), {}]) refusal(TypeError, 1000, reason);
    refusal(TypeError, undefined, null);
  });

  test("X-3 refuses a reason without a code", () => {
    assertEquals(refusal(TypeError, undefined, "bye"), "Cannot close: a reason needs a code");
  });

  test("X-3 refuses a reason with a lone surrogate", () => {
    for (const reason of ["\ud800", "a\udfff", "\udc00\ud800", "\ud83d😀"]) {
      const message = refusal(TypeError, 1000, reason);
      assertEquals(message, "Cannot close: the reason contains a lone surrogate");
    }
    assertEquals(encodeClose(1000, "😀"), hex("03e8 f09f9880"));
  });

  test("X-3 counts the reason in bytes: 123 fit, 124 do not", () => {
    assertEquals(encodeClose(1000, "r".repeat(123)).length, 125);
    assertEquals(encodeClose(1000, "é".repeat(61) + "r").length, 125);
    assertEquals(
      refusal(RangeError, 1000, "é".repeat(62)),
      "Cannot close: the reason is 124 bytes long, more than 123",
    );
    refusal(RangeError, 1000, "r".repeat(124));
  });
});

describe("truncateReason()", () => {
  test("leaves a reason that fits as it is", () => {
    for (const reason of ["", "why", "é".repeat(61) + "!"]) {
      assertEquals(truncateReason(reason), reason);
    }
  });

  test("cuts at 123 bytes, and never inside a character", () => {
    assertEquals(MAX_REASON_SIZE, 123);
    assertEquals(truncateReason("r".repeat(200)), "r".repeat(123));
    assertEquals(truncateReason("é".repeat(100)), "é".repeat(61));
    assertEquals(truncateReason("€".repeat(100)), "€".repeat(41));
    assertEquals(truncateReason("😀".repeat(100)), "😀".repeat(30));
    for (let ascii = 0; ascii < 130; ascii++) {
      const reason = truncateReason("r".repeat(ascii) + "😀".repeat(40));
      encodeClose(1000, reason);
      assertEquals(utf8(reason).length > 119, true);
    }
  });

  test("gives what encodeClose() takes, also where the text has lone surrogates", () => {
    for (const text of ["\ud800", "a\udc00b", "\ud800".repeat(60), "\ud83d😀"]) {
      encodeClose(1002, truncateReason(text));
    }
    assertEquals(truncateReason("a\ud800b"), "a\ufffdb");
  });
});
