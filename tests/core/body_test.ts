import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { type BodyFraming, BodyReader, requestBodyFraming } from "../../src/core/body.ts";
import { HandshakeError } from "../../src/core/errors.ts";
import { HeaderList } from "../../src/core/headers.ts";
import { countAllocations } from "../allocations.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const CHUNKED: BodyFraming = { kind: "chunked" };

/** Reads `input` in two pieces, cut at every place, and one byte at a time: same outcome each time. */
function readAll(framing: BodyFraming, input: string, maxSize = 100): string {
  const outcomes = new Set<string>();
  const all = bytes(input);
  for (let cut = 0; cut <= all.length; cut++) {
    outcomes.add(
      read(framing, [all.subarray(0, cut), all.subarray(cut)], maxSize),
    );
  }
  outcomes.add(
    read(framing, Array.from(all, (byte) => Uint8Array.of(byte)), maxSize),
  );
  assertEquals(outcomes.size, 1, [...outcomes].join(" / "));
  return [...outcomes][0];
}

function read(
  framing: BodyFraming,
  pieces: Uint8Array[],
  maxSize: number,
): string {
  try {
    const reader = new BodyReader(framing, maxSize);
    for (const piece of pieces) reader.receive(piece);
    return `${text(reader.bytes)}|${reader.isComplete}`;
  } catch (error) {
    return `${(error as HandshakeError).status}: ${(error as HandshakeError).message}`;
  }
}

describe("BodyReader", () => {
  test("reads no body", () => assertEquals(readAll({ kind: "none" }, "more"), "|true"));

  test("reads a body by its length and leaves what is behind it", () => {
    assertEquals(
      readAll({ kind: "length", length: 5 }, "hello, world"),
      "hello|true",
    );
    assertEquals(readAll({ kind: "length", length: 0 }, "x"), "|true");
    assertEquals(readAll({ kind: "length", length: 5 }, "hel"), "hel|false");
  });

  test("reads a body up to the end of the stream", () => {
    assertEquals(readAll({ kind: "end" }, "hello"), "hello|false");
  });

  test("reads chunks with extensions and trailers", () => {
    assertEquals(readAll(CHUNKED, "0\r\n\r\n"), "|true");
    assertEquals(
      readAll(
        CHUNKED,
        "3;a=b\r\nhel\r\n02 ;x\r\nlo\r\n000\r\nX-Sum: 1\r\n\r\nmore",
      ),
      "hello|true",
    );
    assertEquals(
      readAll(CHUNKED, "A\r\n0123456789\r\n0\r\n"),
      "0123456789|false",
    );
  });

  for (
    const [what, input, why] of [
      [
        "a size that is no number",
        "x\r\n",
        "a chunk's size is not a hexadecimal number",
      ],
      ["an empty size", "\r\n", "a chunk's size is not a hexadecimal number"],
      [
        "a signed size",
        "+3\r\nabc\r\n",
        "a chunk's size is not a hexadecimal number",
      ],
      [
        "a size of more than 32 bits",
        "123456789\r\n",
        "a chunk's size is not a hexadecimal number",
      ],
      [
        "a control character in an extension",
        "1;\x07\r\n",
        "a chunk's size is not a hexadecimal number",
      ],
      ["a bare LF", "3\nabc", "a line does not end with CRLF"],
      [
        "a chunk longer than its size",
        "3\r\nabcd\r\n",
        "a chunk is longer than it says",
      ],
      ["an endless line", "0".repeat(1025), "a line is too long"],
      [
        "an endless trailer section",
        `0\r\n${`X: ${"y".repeat(1000)}\r\n`.repeat(9)}`,
        "the trailer section is too long",
      ],
    ]
  ) {
    test(`rejects ${what}`, () => {
      assertEquals(
        readAll(CHUNKED, input),
        `400: Cannot read the chunked body: ${why}`,
      );
    });
  }

  test("rejects a body over the limit: a length before any of it arrives", () => {
    const over = "413: The body is longer than 4 bytes (limits.maxBodySize)";
    assertEquals(readAll({ kind: "length", length: 5 }, "", 4), over);
    assertEquals(readAll(CHUNKED, "5\r\nhello\r\n0\r\n\r\n", 4), over);
    assertEquals(readAll(CHUNKED, "4\r\nhell\r\n0\r\n\r\n", 4), "hell|true");
    assertThrows(
      () => new BodyReader({ kind: "length", length: 5 }, 4),
      HandshakeError,
      "longer than 4 bytes",
    );
  });

  test("keeps the beginning of a longer body where that is asked for", () => {
    for (
      const framing of [{ kind: "length", length: 9 }, {
        kind: "end",
      }] as BodyFraming[]
    ) {
      const reader = new BodyReader(framing, 4, "truncate");
      reader.receive(bytes("hello"));
      assertEquals([text(reader.bytes), reader.isComplete], ["hell", true]);
      reader.receive(bytes("more"));
      assertEquals(text(reader.bytes), "hell");
    }
  });

  test("M-5 a body in single bytes costs no object each, and linear time", () => {
    const total = 100_000;
    const input = new Uint8Array(total);
    const reader = new BodyReader({ kind: "length", length: total }, total);
    const { arrays, copied } = countAllocations(() => {
      for (let at = 0; at < total; at++) reader.receive(input.subarray(at, at + 1));
    });
    assertEquals(reader.isComplete, true);
    assert(arrays < 40, `${arrays} arrays`);
    assert(copied < 4 * total, `${copied} bytes copied`);
  });

  test("takes a copy of what it receives", () => {
    const reader = new BodyReader({ kind: "length", length: 2 }, 4);
    const input = bytes("ab");
    reader.receive(input);
    input.fill(0);
    assertEquals(text(reader.bytes), "ab");
  });
});

describe("requestBodyFraming()", () => {
  const framing = (...fields: [string, string][]): unknown => {
    const headers = new HeaderList();
    for (const [name, value] of fields) headers.append(name, value);
    try {
      return requestBodyFraming({ method: "GET", target: "/", headers });
    } catch (error) {
      return (error as HandshakeError).status;
    }
  };

  test("finds none, a length, or chunks", () => {
    assertEquals(framing(), { kind: "none" });
    assertEquals(framing(["Content-Length", "0"]), { kind: "length", length: 0 });
    assertEquals(framing(["Content-Length", "0015"]), { kind: "length", length: 15 });
    assertEquals(framing(["Transfer-Encoding", "Chunked"]), { kind: "chunked" });
  });

  test("H-35 rejects lengths that two readers could read differently", () => {
    for (const value of ["-1", "+5", "0x5", "5,5", "", "1e3", "18446744073709551616"]) {
      assertEquals(framing(["Content-Length", value]), 400, value);
    }
    assertEquals(framing(["Content-Length", "0"], ["Content-Length", "5"]), 400);
    assertEquals(framing(["Content-Length", "5"], ["Content-Length", "5"]), 400);
  });

  test("H-36 rejects codings other than chunked alone", () => {
    for (
      const value of [
        "identity",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "",
        "chunked,",
        "xchunked",
      ]
    ) {
      assertEquals(framing(["Transfer-Encoding", value]), 400, value);
    }
    assertEquals(framing(["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "chunked"]), 400);
    assertEquals(framing(["Transfer-Encoding", "chunked"], ["Content-Length", "5"]), 400);
  });
});
