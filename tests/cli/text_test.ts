import { assertEquals } from "@std/assert";
import { describe, test } from "node:test";
import {
  escapeControls,
  formatMessage,
  indentJson,
  parseHex,
  showText,
  splitLines,
} from "../../src/cli/text.ts";

async function linesOf(...chunks: Uint8Array[]): Promise<string[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const line of splitLines(stream())) lines.push(line);
  return lines;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("splitLines()", () => {
  for (
    const [text, lines] of [
      ["", []],
      ["a", ["a"]],
      ["a\n", ["a"]],
      ["\n", [""]],
      ["a\n\nb", ["a", "", "b"]],
      ["a\r\nb\rc\r\n", ["a", "b\rc"]],
      ["wörld €\n😀\n", ["wörld €", "😀"]],
    ] as const
  ) {
    test(`reads ${JSON.stringify(text)}, wherever it is cut`, async () => {
      const bytes = encode(text);
      for (let i = 0; i <= bytes.length; i++) {
        assertEquals(await linesOf(bytes.subarray(0, i), bytes.subarray(i)), [...lines]);
      }
      assertEquals(await linesOf(...Array.from(bytes, (byte) => Uint8Array.of(byte))), [...lines]);
    });
  }

  test("replaces what is no UTF-8, also at the end", async () => {
    assertEquals(await linesOf(Uint8Array.of(0x61, 0xff, 0x0a, 0xe2, 0x82)), ["a\ufffd", "\ufffd"]);
  });
});

describe("parseHex()", () => {
  for (
    const [line, bytes] of [
      ["", []],
      ["00ff", [0, 255]],
      [" 48 65\t6C6c 6F ", [0x48, 0x65, 0x6c, 0x6c, 0x6f]],
      ["0", null],
      ["0 0", null],
      ["0x00", null],
      ["gg", null],
    ] as const
  ) {
    test(`reads ${JSON.stringify(line)} as ${JSON.stringify(bytes)}`, () => {
      assertEquals(parseHex(line), bytes === null ? null : Uint8Array.from(bytes));
    });
  }
});

describe("indentJson()", () => {
  for (
    const [text, indented] of [
      ["1", "1"],
      ["{}", "{}"],
      [" [ ] ", "[]"],
      ['{"a":[1,{"b":null}],"c":{}}', JSON.stringify({ a: [1, { b: null }], c: {} }, null, 2)],
      ['["{[:,]}","\\"\\\\"]', '[\n  "{[:,]}",\n  "\\"\\\\"\n]'],
      ["[12345678901234567890.10]", "[\n  12345678901234567890.10\n]"],
      ['{"a":1,"a":2}', '{\n  "a": 1,\n  "a": 2\n}'],
      ["hello  there", "hello  there"],
      ["{a: 1}", "{a: 1}"],
    ]
  ) {
    test(`makes ${JSON.stringify(indented)} of ${JSON.stringify(text)}`, () => {
      assertEquals(indentJson(text), indented);
    });
  }

  test("leaves alone what is nested so deeply that it would grow beyond measure", () => {
    const nested = (depth: number) => "[".repeat(depth) + "1" + "]".repeat(depth);
    assertEquals(indentJson(nested(100)).split("\n").length, 201);
    assertEquals(indentJson(nested(101)), nested(101));
    assertEquals(indentJson(nested(100_000)), nested(100_000));
  });

  test("leaves alone what indenting makes longer than any message", () => {
    const text = `${"[".repeat(100)}${"1,".repeat(350_000)}1${"]".repeat(100)}`;
    assertEquals(indentJson(text) === text, true);
  });

  test("copes with long strings", () => {
    const text = `"${"\\u0041x".repeat(1_000_000)}"`;
    assertEquals(indentJson(`[${text}]`), `[\n  ${text}\n]`);
  });
});

test("formatMessage() shows bytes with their number, text as it is", () => {
  const options = { json: false };
  assertEquals(formatMessage("{} \x1b", options), "{} \x1b");
  assertEquals(formatMessage("[1]", { json: true }), "[\n  1\n]");
  assertEquals(formatMessage(Uint8Array.of(10, 0, 255), options), "[3 bytes] 0a00ff");
  assertEquals(formatMessage(Uint8Array.of(1), options), "[1 byte] 01");
  assertEquals(formatMessage(new Uint8Array(0), options), "[0 bytes]");
  const part = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  assertEquals(formatMessage(part, options), "[2 bytes] 0203");
});

test("escapeControls() leaves LF, tab and letters, and disarms the rest", () => {
  assertEquals(escapeControls("a\n\tü€"), "a\n\tü€");
  assertEquals(escapeControls("\x1b[2J\r\x07\x7f\x9b"), "\\x1b[2J\\x0d\\x07\\x7f\\x9b");
});

test("showText() is one line, and short", () => {
  assertEquals(showText("  a\n\n b\x1b "), "a b\\x1b");
  assertEquals(showText("x".repeat(1000)), `${"x".repeat(200)}…`);
});
