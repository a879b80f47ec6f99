import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import {
  findUnasked,
  formatExtensions,
  parseExtensions,
  readExtensions,
} from "../../src/core/extensions.ts";

describe("parseExtensions()", () => {
  for (
    const [value, expected] of [
      ["", []],
      [" , ,", []],
      ["foo", [{ name: "foo", params: [] }]],
      [
        'permessage-deflate; client_max_window_bits , foo;a=1 ; b="c\\d"',
        [
          { name: "permessage-deflate", params: [["client_max_window_bits", null]] },
          { name: "foo", params: [["a", "1"], ["b", "cd"]] },
        ],
      ],
      ["__proto__; constructor=toString", [
        { name: "__proto__", params: [["constructor", "toString"]] },
      ]],
    ] as [string, unknown][]
  ) {
    test(`reads ${JSON.stringify(value)}`, () => assertEquals(parseExtensions(value), expected));
  }

  for (
    const value of [
      "permessage-deflate; =",
      ";",
      "a; b=",
      'a; b="x y"',
      'a; b=""',
      'a; b="x',
      'a; b="x\\',
      "a b",
      "a; b c",
      'a; b="x"y',
      "a; ;",
      "a;",
      "ÿ",
      "=",
    ]
  ) {
    test(`H-64 rejects ${JSON.stringify(value)} with 400`, () => {
      const error = assertThrows(() => parseExtensions(value), HandshakeError, "breaks the syntax");
      assertEquals(error.status, 400);
    });
  }

  test("what formatExtensions() writes, it reads", () => {
    const text = "a; b=1; c, d";
    assertEquals(formatExtensions(parseExtensions(text)), text);
  });
});

test("readExtensions() fails with the error that its caller makes", () => {
  const misuse = (why: string): Error => new TypeError(why);
  assertEquals(readExtensions(null, misuse), []);
  assertEquals(readExtensions("a", misuse), [{ name: "a", params: [] }]);
  assertThrows(() => readExtensions("a;", misuse), TypeError, "the syntax at character 3");
});

test("findUnasked() compares names as they are written", () => {
  const [used, offered] = [parseExtensions("a; x, B, c"), parseExtensions("a; y, b")];
  assertEquals(findUnasked(used, offered), "B");
  assertEquals([findUnasked(used, used), findUnasked([], offered)], [undefined, undefined]);
});
