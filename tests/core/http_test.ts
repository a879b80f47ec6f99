import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { HeaderList } from "../../src/core/headers.ts";
import {
  encodeRequest,
  encodeResponse,
  HeadReader,
  isHost,
  requestBodyFraming,
  type RequestHead,
  type ResponseHead,
} from "../../src/core/http.ts";
import { cuts } from "../cuts.ts";
import { latin1 } from "../latin1.ts";

const LIMITS = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };
const REQUEST = "GET /chat?x HTTP/1.1\r\nHost: example.com\r\nX-A: 1\r\n\r\n";
const RESPONSE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

type Reader = HeadReader<RequestHead | ResponseHead>;

/** What becomes of these bytes: the same for every cut, and decided at the same byte. */
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

const requests = (): Reader => HeadReader.forRequests(LIMITS);
const responses = (): Reader => HeadReader.forResponses(LIMITS);
const status = (text: string): string => read(requests, text).split(":")[0];

describe("HeadReader.forRequests()", () => {
  test("H-1 reads a head in any pieces and keeps what is behind it", () => {
    assertEquals(JSON.parse(read(requests, `${REQUEST}\x81\x80`)), [
      { method: "GET", target: "/chat?x", headers: [["host", "example.com"], ["x-a", "1"]] },
      "\x81\x80",
    ]);
    assertEquals(read(requests, REQUEST.slice(0, -1)), "incomplete");
  });

  test("H-2 ignores one empty line before it, not two", () => {
    assertEquals(read(requests, `\r\n${REQUEST}`), read(requests, REQUEST));
    assertEquals(status(`\r\n\r\n${REQUEST}`), "400");
  });

  test("trims values, keeps empty ones, and other bytes above ASCII in them", () => {
    const [head] = JSON.parse(read(requests, REQUEST.replace("A: 1", "A: \t\xe9 b\t \r\nX-B:")));
    assertEquals(head.headers.slice(1), [["x-a", "\xe9 b"], ["x-b", ""]]);
  });

  for (
    const [id, text, expected] of [
      ["H-3 a leading space", ` ${REQUEST}`, "400"],
      ["H-3 two spaces", REQUEST.replace(" ", "  "), "400"],
      ["H-20 no Host", REQUEST.replace("Host", "Toast"), "400"],
      ["H-20 two Hosts", REQUEST.replace("X-A", "Host"), "400"],
      ["H-21 an invalid Host", REQUEST.replace("example.com", "a b:99999/x"), "400"],
      [
        "H-30 an absolute target elsewhere",
        REQUEST.replace("/chat", "http://evil.example/"),
        "400",
      ],
      ["H-31 an asterisk", REQUEST.replace("/chat?x", "*"), "400"],
      ["H-31 an authority", REQUEST.replace("GET /chat?x", "CONNECT a:1"), "400"],
      ["H-31 an empty target", REQUEST.replace("/chat?x", ""), "400"],
      ["H-31 a fragment", REQUEST.replace("?x", "#x"), "400"],
      ["H-32 NUL in the target", REQUEST.replace("?x", "\0"), "400"],
      ["H-32 a control character in the target", REQUEST.replace("?x", "\x01"), "400"],
      ["H-32 DEL in the target", REQUEST.replace("?x", "\x7f"), "400"],
      ["H-32 0xe9 in the target", REQUEST.replace("?x", "\xe9"), "400"],
      ["H-34 HTTP/1.0", REQUEST.replace("HTTP/1.1", "HTTP/1.0"), "505"],
      ["H-34 HTTP/1.2", REQUEST.replace("HTTP/1.1", "HTTP/1.2"), "505"],
      ["H-34 HTTP/2.0", REQUEST.replace("HTTP/1.1", "HTTP/2.0"), "505"],
      ["H-34 a trailing space", REQUEST.replace("HTTP/1.1", "HTTP/1.1 "), "400"],
      ["H-34 http/1.1", REQUEST.replace("HTTP/1.1", "http/1.1"), "400"],
      ["H-43 a bare LF", REQUEST.replace("\r\nX", "\nX"), "400"],
      ["H-43 a bare CR", REQUEST.replace("A: 1", "A: a\rb"), "400"],
      ["H-43 two CRs", REQUEST.replace("A: 1", "A: 1\r"), "400"],
      ["H-43 a folded line", REQUEST.replace("A: 1", "A: 1\r\n b"), "400"],
      ["H-43 a space before the colon", REQUEST.replace("X-A", "X-A "), "400"],
      ["H-43 NUL in a value", REQUEST.replace("A: 1", "A: 1\0"), "400"],
      ["H-43 an empty name", REQUEST.replace("X-A", ""), "400"],
      ["H-43 no colon", REQUEST.replace("A: 1", "A"), "400"],
      ["H-43 a name with a parenthesis", REQUEST.replace("X-A", "X(A"), "400"],
      ["H-43 a name above ASCII", REQUEST.replace("X-A", "X\x80"), "400"],
      ["H-80 the preface of HTTP/2", "PRI * HTTP/2.0\r\n", "505"],
      ["H-81 a TLS ClientHello", "\x16", "400"],
      ["H-83 PROXY protocol v1", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "400"],
      ["H-83 PROXY protocol v2", "\r\n\r\n\0\r\nQUIT\n", "400"],
    ] as [string, string, string][]
  ) {
    test(`refuses ${id} with ${expected}`, () => assertEquals(status(text), expected));
  }

  test("H-30 takes an absolute target on this host as its path, H-31 //x as a path", () => {
    const target = (text: string): string =>
      JSON.parse(read(requests, REQUEST.replace("/chat?x", text)))[0].target;
    assertEquals(target("http://EXAMPLE.com/a?b"), "/a?b");
    assertEquals(target("ws://example.com?b"), "/?b");
    assertEquals(target("https://example.com"), "/");
    assertEquals(target("//evil.example/x"), "//evil.example/x");
    assertEquals(target("/%zz"), "/%zz");
  });

  test("H-50 H-51 refuses what is too much at the limit, H-52 takes what is not", () => {
    const withFields = (count: number): string =>
      REQUEST.replace("X-A: 1\r\n", "X: y\r\n".repeat(count));
    assertEquals(status(withFields(99)).startsWith("["), true);
    assertEquals(status(withFields(100)), "431");
    assertEquals(status(withFields(3000)), "431");
    const withLine = (size: number): string =>
      REQUEST.replace("A: 1\r", `A: ${"x".repeat(size)}\r`);
    assertEquals(status(withLine(8192 - 5)).startsWith("["), true);
    assertEquals(status(withLine(8192 - 4)), "431");
    assertEquals(
      status(
        `GET /${"x".repeat(8192 - 14)} HTTP/1.1\r\n${REQUEST.split("\r\n").slice(1).join("\r\n")}`,
      ).startsWith("["),
      true,
    );
    assertEquals(status(`GET /${"x".repeat(8192 - 13)} HTTP/1.1\r\n`), "414");
    assertEquals(status("x".repeat(20_000)), "414");
    assertEquals(
      status(`${REQUEST.slice(0, -2)}${`X: ${"y".repeat(5000)}\r\n`.repeat(4)}`),
      "431",
    );
    const large = `${REQUEST.slice(0, -2)}${`X: ${"y".repeat(5000)}\r\n`.repeat(3)}\r\n`;
    assertEquals(status(large).startsWith("["), true);
  });

  test("messages name the rule and the value, bounded and printable", () => {
    const message = read(requests, `${"\xe9".repeat(500)} /\r\n`);
    assert(message.startsWith("400: Cannot read the request or response: the request line is "));
    assert(message.length < 200);
  });
});

test("H-21 isHost() takes names, addresses and ports", () => {
  for (
    const host of [
      "a",
      "a.example",
      "a.example:80",
      "127.0.0.1:65535",
      "[::1]",
      "[::1]:8000",
      "a_b",
      "a:",
    ]
  ) assert(isHost(host), host);
  for (
    const host of [
      "",
      "a b",
      "a/b",
      "a:99999",
      "a:x",
      "[::1",
      "[::1]x",
      "[zz]",
      "[:::1]",
      "%00",
      "u@a",
      "a:1:2",
      "x".repeat(4096),
      "a#b",
      "a?b",
      "a\\b",
    ]
  ) assert(!isHost(host), host);
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

  for (
    const line of [
      "HTTP/1.0 101 x",
      "HTTP/1.1  101",
      "HTTP/1.1 1010",
      "HTTP/1.1 11",
      "HTTP/1.1 001 x",
      "ICY 101",
      "HTTP/1.1 101\tx",
      "",
      "\r\n",
    ]
  ) {
    test(`R-12 rejects ${JSON.stringify(line)}`, () => {
      assert(read(responses, `${line}\r\n\r\n`).includes("Cannot read the response"));
    });
  }

  test("R-14 rejects what a request may not have either", () => {
    for (
      const [from, to] of [["\r\nU", "\nU"], ["websocket", "web\r\n socket"], ["websocket", "\0"], [
        "Upgrade",
        "Upgrade ",
      ]]
    ) assert(/^\d*|undefined: Cannot read/.test(read(responses, RESPONSE.replace(from, to))));
    assert(
      read(responses, `${RESPONSE.slice(0, -2)}${"X: y\r\n".repeat(5000)}`).startsWith("431"),
    );
    assert(read(responses, "x".repeat(20_000)).startsWith("414"));
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
        "xchunked",
      ]
    ) {
      assertEquals(framing(["Transfer-Encoding", value]), 400, value);
    }
    assertEquals(framing(["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "chunked"]), 400);
    assertEquals(framing(["Transfer-Encoding", "chunked"], ["Content-Length", "5"]), 400);
  });
});

describe("encoding", () => {
  const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

  test("what is written is read", () => {
    const headers = new HeaderList();
    headers.append("Host", "a");
    headers.append("X", "\xe9");
    const head = { method: "GET", target: "/?a", headers };
    assertEquals(text(encodeRequest(head)), "GET /?a HTTP/1.1\r\nhost: a\r\nx: \xe9\r\n\r\n");
    assertEquals(
      text(encodeResponse({ status: 404, headers: [["X-A", "b"]] })),
      "HTTP/1.1 404 Not Found\r\nX-A: b\r\n\r\n",
    );
    assertEquals(text(encodeResponse({ status: 299, headers: [] })), "HTTP/1.1 299 \r\n\r\n");
    assertEquals(
      text(encodeResponse({ status: 200, reason: "Fine", headers: [] })),
      "HTTP/1.1 200 Fine\r\n\r\n",
    );
  });

  test("A-3 what can't stand in a head is a TypeError", () => {
    assertThrows(() => encodeResponse({ status: 200, headers: [["a b", "c"]] }), TypeError);
    assertThrows(() => encodeResponse({ status: 200, headers: [["a", "b\r\nc"]] }), TypeError);
    assertThrows(() => encodeResponse({ status: 200, reason: "a\r\nb", headers: [] }), TypeError);
  });
});

test("H-52 a large head in single bytes takes linear time", () => {
  const time = (size: number): number => {
    const bytes = latin1(`${REQUEST.slice(0, -2)}${`X: ${"y".repeat(95)}\r\n`.repeat(size)}\r\n`);
    const limits = { maxHeaderSize: Infinity, maxHeaderLine: 8192, maxHeaders: Infinity };
    let best = Infinity;
    for (let i = 0; i < 3; i++) {
      const reader = HeadReader.forRequests(limits);
      const start = performance.now();
      for (let at = 0; at < bytes.length; at++) reader.receive(bytes.subarray(at, at + 1));
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  time(100);
  const [small, large] = [time(150), time(1200)];
  assert(large < (small + 0.5) * 32, `${small} ms, 8 times as much in ${large} ms`);
});
