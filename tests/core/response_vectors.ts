/**
 * Responses to the opening handshake as bytes, and what a client makes of them: section 2 of the
 * catalogue. Run in memory by `response_vectors_test.ts`, over TCP by
 * `tests/catalogue/responses_test.ts`.
 *
 * @module
 */

/** What a server answers, and what a client has to make of it. */
export interface ResponseVector {
  /** What it is: the name of its test. */
  readonly name: string;
  /** The bytes, one per character, for the `Sec-WebSocket-Accept` that would be right. */
  readonly answer: (accept: string) => string;
  /** The subprotocol of the session that opens, or what the error's message has to contain. */
  readonly outcome: { readonly protocol: string } | { readonly error: string };
  /** The status that the error has; `undefined` if the response can't be read or is a lie. */
  readonly status?: number;
}

/** The subprotocols that the client offers. */
export const OFFERED: readonly string[] = ["chat", "b"];

type Answer = (accept: string) => string;

/** The response that is right, with one field's line replaced, and lines added. */
function response(change: { replace?: [string, string]; add?: readonly string[] } = {}): Answer {
  return (accept) => {
    const text = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept}`,
      ...change.add ?? [],
      "",
      "",
    ].join("\r\n");
    const [from, to] = change.replace ?? ["", ""];
    if (!text.includes(from)) throw new Error(`The response has no ${JSON.stringify(from)}`);
    return text.replace(from, () => to);
  };
}

const adding = (...add: string[]): Answer => response({ add });
const replacing = (from: string, to: string): Answer => response({ replace: [from, to] });
const firstLine = (line: string): Answer => replacing("HTTP/1.1 101 Switching Protocols", line);

function opens(name: string, answer: Answer, protocol = ""): ResponseVector {
  return { name, answer, outcome: { protocol } };
}

/** The response is read, but not believed. */
function fails(name: string, answer: Answer, error: string, status = 101): ResponseVector {
  return { name, answer, status, outcome: { error: `Cannot connect: ${error}` } };
}

/** The response is none. */
function unreadable(name: string, answer: Answer, why: string): ResponseVector {
  return { name, answer, outcome: { error: `Cannot read the response: ${why}` } };
}

const NOT_OURS = "Sec-WebSocket-Accept does not belong to our key";
const NO_SWITCH = "Connection does not list Upgrade";
const NO_UPGRADE = "Upgrade is not websocket";
const A_BODY = "the 101 response announces a body";

const ACCEPTS: readonly ResponseVector[] = [
  fails(
    "R-1 the accept key of another request",
    () => response()("NRJrplgTSmBqvVaQhF+6peBS1S8="),
    NOT_OURS,
  ),
  fails("R-1 an accept key with something before it", replacing("Accept: ", "Accept: A"), NOT_OURS),
  fails("R-2 no accept key", replacing("Sec-WebSocket-Accept", "X"), NOT_OURS),
  fails("R-2 an empty accept key", () => response()(""), NOT_OURS),
  fails(
    "R-3 the accept key in lower case",
    (accept) => response()(accept.toLowerCase()),
    NOT_OURS,
  ),
  fails("R-4 two accept keys, the first right", adding("Sec-WebSocket-Accept: x"), NOT_OURS),
  fails(
    "R-4 two accept keys, the second right",
    replacing("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Accept: x"),
    NOT_OURS,
  ),
  opens("R-10 the response that is right", response()),
  opens("R-10 Connection: keep-alive, Upgrade", replacing(": Upgrade", ": keep-alive, Upgrade")),
  opens("R-10 two Connections", replacing(": Upgrade", ": keep-alive\r\nConnection: upgrade")),
  opens("R-10 Upgrade: WebSocket", replacing("websocket", "WebSocket")),
  opens("R-10 bytes above ASCII in other fields", adding("X: \xff")),
  opens("R-10 a subprotocol that was offered", adding("Sec-WebSocket-Protocol: b"), "b"),
  fails("R-11 no Connection", replacing("Connection", "X"), NO_SWITCH),
  fails("R-11 Connection: notupgrade", replacing(": Upgrade", ": notupgrade"), NO_SWITCH),
  fails("R-11 no Upgrade", replacing("Upgrade", "X"), NO_UPGRADE),
  fails("R-11 Upgrade: h2c, websocket", replacing(": websocket", ": h2c, websocket"), NO_UPGRADE),
  fails("R-11 Upgrade: websocket/13", replacing(": websocket", ": websocket/13"), NO_UPGRADE),
];

const STATUS_LINES: readonly ResponseVector[] = [
  ...[200, 204, 102].map((status) =>
    fails(
      `R-12 status ${status}`,
      firstLine(`HTTP/1.1 ${status} OK`),
      `the server answered with status ${status}`,
      status,
    )
  ),
  opens("R-12 no reason", firstLine("HTTP/1.1 101 ")),
  opens("R-12 neither reason nor space", firstLine("HTTP/1.1 101")),
  ...[
    "HTTP/1.0 101 x",
    "HTTP/1.1  101",
    "HTTP/1.1 1010",
    "HTTP/1.1 11",
    "HTTP/1.1 001 x",
    "ICY 101",
    "xHTTP/1.1 101",
    "HTTP/1.1 101\tx",
    "SSH-2.0-x",
  ].map((line) =>
    unreadable(
      `R-12 ${JSON.stringify(line)}`,
      firstLine(line),
      `its first line is ${JSON.stringify(line)}`,
    )
  ),
  // One empty line is skipped, as before a request.
  unreadable(
    "R-12 two empty lines",
    (accept) => `\r\n\r\n${response()(accept)}`,
    'its first line is ""',
  ),
];

/** Interim responses before the one that counts. */
const interim = (
  count: number,
  line = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
): Answer => {
  return (accept) => line.repeat(count) + response()(accept);
};

const INTERIM: readonly ResponseVector[] = [
  opens("R-13 100 Continue", interim(1, "HTTP/1.1 100 Continue\r\n\r\n")),
  opens("R-13 103 Early Hints", interim(1)),
  opens("R-13 8 interim responses", interim(8)),
  {
    name: "R-13 9 interim responses",
    answer: interim(9),
    outcome: { error: "The server sent more than 8 interim responses" },
  },
];

const LONG = "y".repeat(20_000);
const TOO_LONG = "the first line is longer than 8192 bytes (limits.maxHeaderLine)";

const LINES: readonly ResponseVector[] = [
  unreadable("R-14 LF alone", replacing("\r\nUp", "\nUp"), "a line ends with LF alone"),
  unreadable("R-14 CR alone", replacing("websocket", "web\rsocket"), "CR stands inside a line"),
  unreadable(
    "R-14 a folded line",
    replacing("websocket", "web\r\n socket"),
    'character " " stands in a header name',
  ),
  unreadable("R-14 NUL", replacing("websocket", "\0"), "control character 0x00"),
  unreadable(
    "R-14 a space before the colon",
    replacing("Upgrade:", "Upgrade :"),
    'character " " stands in a header name',
  ),
  unreadable(
    "R-14 5000 fields",
    adding(...Array(5000).fill("X: y")),
    "the head has more than 100 fields (limits.maxHeaders)",
  ),
  unreadable(
    "R-14 a field that does not end",
    (accept) => `${response()(accept).slice(0, -2)}X: ${LONG}`,
    "a header line is longer than 8192 bytes (limits.maxHeaderLine)",
  ),
  unreadable("R-14 a first line that does not end", () => LONG, TOO_LONG),
  unreadable(
    "R-14 a head past 16 KiB, each line below 8 KiB",
    adding(...["A", "B", "C", "D"].map((name) => `${name}: ${"y".repeat(5000)}`)),
    "the head is longer than 16384 bytes (limits.maxHeaderSize)",
  ),
  fails("R-15 Content-Length 5", adding("Content-Length: 5"), A_BODY),
  fails("R-15 Content-Length 0", adding("Content-Length: 0"), A_BODY),
  fails("R-15 Transfer-Encoding: chunked", adding("Transfer-Encoding: chunked"), A_BODY),
];

const UNOFFERED = "the server chose a subprotocol that was not offered";
const PMD = 'the server uses extension "permessage-deflate" unasked';

const AGREEMENT: readonly ResponseVector[] = [
  fails("R-20 another subprotocol", adding("Sec-WebSocket-Protocol: x"), UNOFFERED),
  fails("R-20 a list of subprotocols", adding("Sec-WebSocket-Protocol: chat, b"), UNOFFERED),
  fails("R-20 another case", adding("Sec-WebSocket-Protocol: CHAT"), UNOFFERED),
  fails("R-20 an empty subprotocol", adding("Sec-WebSocket-Protocol:"), UNOFFERED),
  fails(
    "R-20 two subprotocols",
    adding("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: b"),
    "the server chose more than one subprotocol",
  ),
  fails(
    "R-21 an extension unasked",
    adding("Sec-WebSocket-Extensions: x-foo"),
    'the server uses extension "x-foo" unasked',
  ),
  fails("R-21 deflate unasked", adding("Sec-WebSocket-Extensions: permessage-deflate"), PMD),
  fails(
    "R-21 deflate unasked, twice",
    adding("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"),
    PMD,
  ),
  fails(
    "R-21 deflate unasked, in two fields",
    adding(...Array(2).fill("Sec-WebSocket-Extensions: permessage-deflate")),
    PMD,
  ),
  fails(
    "R-21 a broken list",
    adding("Sec-WebSocket-Extensions: ;"),
    "Sec-WebSocket-Extensions breaks the syntax at character 1",
  ),
  fails(
    "R-30 ff fe as the subprotocol",
    adding("Sec-WebSocket-Protocol: \xff\xfe"),
    'header "sec-websocket-protocol" has characters other than ASCII',
  ),
  fails(
    "R-30 0x80 in a field of the handshake that is none of ours",
    adding("Sec-WebSocket-Other: \x80"),
    'header "sec-websocket-other" has characters other than ASCII',
  ),
];

const REFUSED = "the server answered with status";

/** A response that refuses. */
function refuses(name: string, status: number, lines: string, body = ""): ResponseVector {
  const head = `HTTP/1.1 ${status} No\r\n${lines}\r\n\r\n`;
  return fails(name, () => head + body, `${REFUSED} ${status}`, status);
}

/** `busy` as gzip. */
const BUSY = "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x2a\x2d\xae\x04\0\x82\xa9\x9a\xcf\x04\0\0\0";
const CHUNKED = "Transfer-Encoding: chunked";

const REFUSALS: readonly ResponseVector[] = [
  ...[301, 302, 307, 308].map((status) =>
    refuses(`R-40 ${status} to another path`, status, "Location: /other\r\nContent-Length: 0")
  ),
  ...["ws://127.0.0.1/", "http://evil.example/", "//evil.example", "", "javascript:alert(1)"].map(
    (location) =>
      refuses(
        `R-40 302 to ${JSON.stringify(location)}`,
        302,
        `Location: ${location}\r\nContent-Length: 0`,
      ),
  ),
  refuses(
    "R-40 302 with a body of 10 MB of which 64 KiB count",
    302,
    "Location: /\r\nContent-Length: 10000000",
    "x".repeat(70_000),
  ),
  ...[401, 403, 429, 503].map((status) =>
    refuses(
      `R-41 ${status} with Retry-After`,
      status,
      "Retry-After: 5\r\nContent-Length: 4",
      "busy",
    )
  ),
  refuses("R-41 a chunked body", 503, CHUNKED, "4\r\nbusy\r\n1;x=y\r\n!\r\n0\r\n\r\n"),
  refuses(
    "R-41 a body in gzip",
    503,
    `Content-Encoding: gzip\r\nContent-Length: ${BUSY.length}`,
    BUSY,
  ),
  refuses("R-41 a body up to the end of the stream", 500, "X: y", "x".repeat(3000)),
  refuses("R-41 a body past 64 KiB without length", 500, "X: y", "x".repeat(70_000)),
  refuses("R-41 a chunk past 64 KiB", 500, CHUNKED, `ffffff\r\n${"x".repeat(70_000)}`),
  refuses("R-41 a body shorter than announced", 404, "Content-Length: 5", "none"),
  refuses("R-41 no body", 404, "Content-Length: 0"),
  refuses("R-41 broken chunks", 500, CHUNKED, "4\r\nbusy\r\nzzz\r\n"),
];

/** All of them. */
export const RESPONSE_VECTORS: readonly ResponseVector[] = [
  ...ACCEPTS,
  ...STATUS_LINES,
  ...INTERIM,
  ...LINES,
  ...AGREEMENT,
  ...REFUSALS,
];
