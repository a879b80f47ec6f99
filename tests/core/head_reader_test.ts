import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { encodeAscii } from "../../src/core/ascii.ts";
import { HandshakeError } from "../../src/core/errors.ts";
import { HeadReader } from "../../src/core/head_reader.ts";
import type { HeaderList } from "../../src/core/headers.ts";
import type { RequestHead, ResponseHead } from "../../src/core/http.ts";
import { cuts } from "../cuts.ts";
import { latin1 } from "../latin1.ts";

const LIMITS = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };
const REQUEST = "GET /chat?x HTTP/1.1\r\nHost: example.com\r\nX-A: 1\r\n\r\n";
const RESPONSE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

type Reader = HeadReader<RequestHead | ResponseHead>;

/** What becomes of these bytes: the same for every cut. */
function read(create: () => Reader, text: string): string {
  const outcomes = new Set<string>();
  for (const { pieces } of cuts(latin1(text))) outcomes.add(readPieces(create(), pieces));
  assertEquals(outcomes.size, 1, [...outcomes].join("\n"));
  return [...outcomes][0];
}

function readPieces(reader: Reader, pieces: readonly Uint8Array[]): string {
  try {
    for (const [i, piece] of pieces.entries()) {
      const head = reader.receive(piece.slice());
      if (head === null) continue;
      checkLookups(head.headers);
      const rest = [...reader.rest, ...pieces.slice(i + 1).flatMap((piece) => [...piece])];
      return JSON.stringify([
        { ...head, headers: [...head.headers] },
        String.fromCharCode(...rest),
      ]);
    }
    return "incomplete";
  } catch (error) {
    assert(error instanceof HandshakeError, String(error));
    return `${error.status}: ${error.message}`;
  }
}

/** What is found by name is what is there. */
function checkLookups(headers: HeaderList): void {
  const fields = [...headers];
  for (const [name] of fields) {
    const values = fields.filter((field) => field[0] === name).map(([, value]) => value);
    assertEquals(headers.getAll(name), values);
    assertEquals([headers.get(name), headers.has(name)], [values.join(", "), true]);
  }
}

const requests = (): Reader => HeadReader.forRequests(LIMITS);
const responses = (): Reader => HeadReader.forResponses(LIMITS);

describe("HeadReader.forRequests()", () => {
  test("H-1 reads a head in any pieces and keeps what is behind it", () => {
    assertEquals(JSON.parse(read(requests, `${REQUEST}\x81\x80`)), [
      { method: "GET", target: "/chat?x", headers: [["host", "example.com"], ["x-a", "1"]] },
      "\x81\x80",
    ]);
    assertEquals(read(requests, REQUEST.slice(0, -1)), "incomplete");
  });

  test("holds its own bytes between pieces, whatever others read and write", () => {
    for (let cut = 1; cut < REQUEST.length; cut++) {
      const reader = HeadReader.forRequests(LIMITS);
      assertEquals(reader.receive(latin1(REQUEST.slice(0, cut))), null);
      encodeAscii("another's".repeat(200));
      const head = reader.receive(latin1(REQUEST.slice(cut)));
      assertEquals([head?.target, [...head!.headers]], [
        "/chat?x",
        [["host", "example.com"], ["x-a", "1"]],
      ]);
    }
  });

  test("takes nothing more behind a head, or behind what it refused", () => {
    for (const text of [REQUEST, "GET / HTTP/1.1\r\nHost: a\r\nX: y\0"]) {
      const reader = HeadReader.forRequests(LIMITS);
      try {
        reader.receive(latin1(text));
      } catch (error) {
        assert(error instanceof HandshakeError);
      }
      assertThrows(() => reader.receive(latin1("\r\n\r\n")), TypeError, "Cannot receive");
    }
  });

  test("trims values, keeps empty ones, and other bytes above ASCII in them", () => {
    const [head] = JSON.parse(read(requests, REQUEST.replace("A: 1", "A: \t\xe9 b\t \r\nX-B:")));
    assertEquals(head.headers.slice(1), [["x-a", "\xe9 b"], ["x-b", ""]]);
  });

  test("finds fields by name, also repeated ones and those whose names share a bit", () => {
    // By first letter and length: x-a and y-, x-bc and y-b.
    const text = REQUEST.replace(
      "X-A: 1",
      "x-a: 1\r\nY-: 2\r\nX-bc: 3\r\nX-A:4\r\nY-b: 5\r\ny-: 6",
    );
    const [{ headers }] = JSON.parse(read(requests, text));
    assertEquals(headers.slice(1), [
      ["x-a", "1"],
      ["y-", "2"],
      ["x-bc", "3"],
      ["x-a", "4"],
      ["y-b", "5"],
      ["y-", "6"],
    ]);
  });

  test("H-30 takes an absolute target on this host as its path, H-31 //x as a path", () => {
    const target = (text: string): string =>
      JSON.parse(read(requests, REQUEST.replace("/chat?x", text)))[0].target;
    assertEquals(target("http://EXAMPLE.com/a?b"), "/a?b");
    assertEquals(target("ws://example.com?b"), "/?b");
    assertEquals(target("https://example.com"), "/");
    assertEquals(target("//evil.example/x"), "//evil.example/x");
    assertEquals(target("/%zz"), "/%zz");
  });

  test("H-51 a first line past the limit of the head is 414, too; each limit is exact", () => {
    const readWith = (limits: Partial<typeof LIMITS>, text = REQUEST): string =>
      read(() => HeadReader.forRequests({ ...LIMITS, ...limits }), text);
    const size = REQUEST.length;
    assert(readWith({ maxHeaderSize: size }).startsWith("["));
    assertEquals(
      readWith({ maxHeaderSize: size - 1 }),
      `431: Cannot read the request: the head is longer than ${
        size - 1
      } bytes (limits.maxHeaderSize)`,
    );
    for (const maxHeaderSize of [10, 21]) { // the first line has 20, and its end
      assertEquals(
        readWith({ maxHeaderSize }),
        `414: Cannot read the request: the head is longer than ${maxHeaderSize} bytes ` +
          "(limits.maxHeaderSize)",
      );
    }
    assert(readWith({ maxHeaderLine: 20 }).startsWith("["));
    assertEquals(
      readWith({ maxHeaderLine: 19 }),
      "414: Cannot read the request: the first line is longer than 19 bytes (limits.maxHeaderLine)",
    );
    assertEquals(
      readWith({ maxHeaderLine: 20 }, REQUEST.replace("A: 1", `A: ${"x".repeat(16)}`)),
      "431: Cannot read the request: a header line is longer than 20 bytes (limits.maxHeaderLine)",
    );
    const named = (length: number): string =>
      readWith({ maxHeaderLine: 20 }, REQUEST.replace("X-A: 1", `${"x".repeat(length)}:`));
    assert(named(19).startsWith("["));
    assert(named(20).startsWith("431: "), named(20));
    assert(read(() => HeadReader.forResponses({ ...LIMITS, maxHeaderSize: 1 }), "\r\n") !== "[");
    const long = { maxHeaderSize: 20_000, maxHeaderLine: 9000 }; // more than is read without an array
    assert(readWith(long, REQUEST.replace("A: 1", `A: ${"x".repeat(8995)}`)).startsWith("["));
    assertEquals(
      readWith(long, REQUEST.replace("A: 1", `A: ${"x".repeat(8996)}`)),
      "431: Cannot read the request: a header line is longer than 9000 bytes (limits.maxHeaderLine)",
    );
    assert(readWith({ maxHeaders: 2 }).startsWith("["));
    assertEquals(
      readWith({ maxHeaders: 1 }),
      "431: Cannot read the request: the head has more than 1 fields (limits.maxHeaders)",
    );
  });

  for (
    const [text, message] of [
      [
        REQUEST.replace("X-A:", "X-A :"),
        'character " " stands in a header name',
      ],
      [
        REQUEST.replace("X-A", " X-A"),
        'character " " stands in a header name',
      ],
      [REQUEST.replace("A: 1", "A"), "a header line has no colon"],
      ["G\xe9", 'character "\\u00e9" stands in the method'],
      [
        "GET\r\n",
        'its first line, which begins with "GET", is not a method, a target and HTTP/1.1',
      ],
      [REQUEST.replace("Host", "X"), "it has 0 Host fields, not one"],
      [REQUEST.replace("example.com", "a b"), 'Host is "a b"'],
      [
        REQUEST.replace("/chat", "b"),
        'the target is neither a path nor a URL of host "example.com"',
      ],
    ]
  ) {
    test(`says why not: ${message}`, () => {
      assertEquals(read(requests, text), `400: Cannot read the request: ${message}`);
    });
  }

  test("messages are bounded and printable", () => {
    const message = read(requests, `${"x".repeat(500)}\r\n`);
    assert(message.length < 200 && /^[\x20-\x7e…]+$/.test(message), message);
  });

  for (
    const [what, text] of [
      ["a cookie behind a space", REQUEST.replace("X-A: 1", "Cookie : sid=s3cret")],
      ["a folded credential", REQUEST.replace("X-A: 1", "Authorization: Bearer\r\n s3cret")],
      ["a credential without a colon", REQUEST.replace("X-A: 1", "s3cret")],
      ["a credential in place of a name", REQUEST.replace("X-A: 1", "s3cret/w==: 1")],
      ["a credential with NUL", REQUEST.replace("X-A: 1", "Authorization: s3cret\0")],
      ["a query", "GET /?token=s3cret  HTTP/1.1\r\n"],
      ["a query with a fragment", REQUEST.replace("?x", "?s3cret#")],
      ["the user of an absolute target", REQUEST.replace("/chat", "http://u:s3cret@b/")],
      ["the user of a broken target", "GET http://u:s3cret@b/  HTTP/1.1\r\n"],
    ]
  ) {
    test(`S-8 no message shows ${what}`, () => {
      const message = read(requests, text);
      assert(message.startsWith("400: "), message);
      assert(!message.includes("s3cret"), message);
    });
  }
});

describe("HeadReader.forProxyResponses()", () => {
  const proxies = (): Reader => HeadReader.forProxyResponses(LIMITS);

  test("reads HTTP/1.0 as well, and nothing else", () => {
    for (const version of ["1.0", "1.1"]) {
      assertEquals(
        JSON.parse(read(proxies, `HTTP/${version} 200 Connected\r\nVia: a\r\n\r\nrest`)),
        [
          { status: 200, reason: "Connected", headers: [["via", "a"]] },
          "rest",
        ],
      );
    }
    for (const line of ["HTTP/1.2 200 x", "HTTP/0.9 200 x", "HTTP/1.0  200 x", "SSH-2.0-x"]) {
      assertEquals(
        read(proxies, `${line}\r\n\r\n`),
        `undefined: Cannot read the proxy's response: its first line is "${line}"`,
      );
    }
    assertEquals(
      read(proxies, "HTTP/1.1 200 x\n"),
      "undefined: Cannot read the proxy's response: a line ends with LF alone",
    );
  });
});

describe("HeadReader.forResponses()", () => {
  test("R-31 reads a head in any pieces and keeps the frames behind it", () => {
    assertEquals(JSON.parse(read(responses, `${RESPONSE}\x81\x02hi`)), [
      { status: 101, reason: "Switching Protocols", headers: [["upgrade", "websocket"]] },
      "\x81\x02hi",
    ]);
  });

  test("R-12 takes a missing reason phrase", () => {
    for (const line of ["HTTP/1.1 101 ", "HTTP/1.1 101"]) {
      const [head] = JSON.parse(read(responses, `${line}\r\n\r\n`));
      assertEquals([head.status, head.reason], [101, ""]);
    }
  });

  test("R-31 waits for the last byte", () => {
    assertEquals(read(responses, RESPONSE.slice(0, -1)), "incomplete");
  });
});

describe("H-52 single bytes take linear time", () => {
  const limits = { maxHeaderSize: Infinity, maxHeaderLine: Infinity, maxHeaders: Infinity };
  const time = (bytes: Uint8Array): number => {
    let best = Infinity;
    for (let i = 0; i < 3; i++) {
      const reader = HeadReader.forRequests(limits);
      const start = performance.now();
      for (let at = 0; at < bytes.length; at++) reader.receive(bytes.subarray(at, at + 1));
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  const inputs: [string, (size: number) => string][] = [
    ["in many lines", (size) => `X: ${"y".repeat(95)}\r\n`.repeat(size / 100)],
    ["in one long line", (size) => `X: ${"y".repeat(size)}\r\n`],
  ];
  for (const [what, fields] of inputs) {
    test(what, () => {
      const head = (size: number): Uint8Array =>
        latin1(`${REQUEST.slice(0, -2)}${fields(size)}\r\n`);
      time(head(10_000));
      const [small, large] = [time(head(15_000)), time(head(120_000))];
      // Quadratic growth would be 64; the half millisecond is the clock's noise.
      assert(large < (small + 0.5) * 32, `${small} ms, 8 times as much in ${large} ms`);
    });
  }
});
