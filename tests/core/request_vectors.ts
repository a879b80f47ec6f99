/**
 * Requests as bytes, and the status that answers them: section 1 of the catalogue. Run in memory by
 * `request_vectors_test.ts`, over TCP by `tests/catalogue/requests_test.ts`.
 *
 * @module
 */

import { REQUEST, requestWith } from "../raw_peer.ts";

/** What a client sends, and how a server that answers no plain HTTP has to answer. */
export interface RequestVector {
  /** What it is: the name of its test. */
  readonly name: string;
  /** The request, one byte per character. */
  readonly request: string;
  readonly status: number;
  /** Lines that the response's head must have; names in lower case. */
  readonly has?: readonly string[];
}

function vector(
  status: number,
  name: string,
  request: string,
  ...has: string[]
): RequestVector {
  return { name, request, status, has };
}

/** The base request with one field's line replaced; `null` takes it away. */
function change(field: string, ...values: string[]): string {
  const line = new RegExp(`${field}: .*\r\n`);
  if (!line.test(REQUEST)) throw new Error(`The base request has no ${field}`);
  return REQUEST.replace(line, () => values.map((value) => `${field}: ${value}\r\n`).join(""));
}

/** The base request with another target. */
function target(text: string): string {
  return REQUEST.replace("GET / ", () => `GET ${text} `);
}

const repeat = (count: number, create: (i: number) => string): string[] =>
  Array.from({ length: count }, (_, i) => create(i));

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const BASE: readonly RequestVector[] = [
  vector(101, "H-1 the base request", REQUEST, ACCEPT),
  vector(101, "H-2 an empty line before it", `\r\n${REQUEST}`),
  vector(400, "H-2 two empty lines before it", `\r\n\r\n${REQUEST}`),
  vector(400, "H-3 a leading space", ` ${REQUEST}`),
  vector(400, "H-3 a leading space at once", " "),
  vector(400, "H-3 a word too many", `X ${REQUEST}`),
  vector(400, "H-3 two spaces", REQUEST.replace("GET / HTTP", "GET  /  HTTP")),
  vector(400, "H-3 two spaces before the target", REQUEST.replace("GET /", "GET  /")),
  vector(400, "H-3 two spaces before the version", REQUEST.replace(" HTTP", "  HTTP")),
];

const VERSION = "Sec-WebSocket-Version";

const VERSIONS: readonly RequestVector[] = [
  ...([
    ["H-10 version 8", change(VERSION, "8")],
    ["H-10 version 14", change(VERSION, "14")],
    ["H-10 no version", change(VERSION)],
    ["H-10 a list of versions", change(VERSION, "13, 8")],
    ["H-10 two versions", change(VERSION, "13", "13")],
    ["H-11 version 0xd", change(VERSION, "0xd")],
    ["H-11 version 13.0", change(VERSION, "13.0")],
    ["H-11 version +13", change(VERSION, "+13")],
    ["H-11 version 013", change(VERSION, "013")],
  ] as const).map(([name, request]) => vector(426, name, request, "sec-websocket-version: 13")),
  vector(101, "H-11 spaces around the version", change(VERSION, " 13 \t"), ACCEPT),
];

const keyed = (...keys: string[]): string => change("Sec-WebSocket-Key", ...keys);

const KEYS: readonly RequestVector[] = [
  vector(400, "H-14 no key", keyed()),
  vector(400, "H-14 an empty key", keyed("")),
  vector(400, "H-14 a short key", keyed("AAAA")),
  vector(400, "H-14 a key of 15 bytes", keyed("AAAAAAAAAAAAAAAAAAAA")),
  vector(400, "H-14 a key of 17 bytes", keyed("AAAAAAAAAAAAAAAAAAAAAAA=")),
  vector(400, "H-14 a key that is no base64", keyed("!!!!!!!!!!!!!!!!!!!!!!==")),
  vector(400, "H-14 characters before the key", keyed(`A${KEY}`)),
  vector(400, "H-14 characters behind the key", keyed(`${KEY}=`)),
  vector(400, "H-14 two keys", keyed(KEY, KEY)),
  vector(400, "H-14 a list of keys", keyed("a, b")),
  vector(
    101,
    "H-15 a key that is not canonical, hashed as it was written",
    keyed("AAAAAAAAAAAAAAAAAAAAAB=="),
    "sec-websocket-accept: NRJrplgTSmBqvVaQhF+6peBS1S8=",
  ),
];

const HOSTS: readonly RequestVector[] = [
  vector(400, "H-20 no Host", change("Host")),
  vector(400, "H-20 two Hosts", change("Host", "127.0.0.1", "127.0.0.1")),
  vector(400, "H-21 Host with space, port and path", change("Host", "a b:99999/x")),
  vector(400, "H-21 Host with a path", change("Host", "a/x")),
  vector(400, "H-21 Host with port 99999", change("Host", "a:99999")),
  vector(400, "H-21 Host [::1", change("Host", "[::1")),
  vector(400, "H-21 Host %00", change("Host", "%00")),
  vector(400, "H-21 an empty Host", change("Host", "")),
  vector(400, "H-21 a Host of 4 kB", change("Host", "x".repeat(4096))),
  vector(400, "H-22 two Origins", requestWith("Origin: http://a", "Origin: http://b")),
  vector(
    400,
    "H-22 the same Origin twice",
    requestWith("Origin: http://127.0.0.1", "Origin: http://127.0.0.1"),
  ),
  vector(403, "H-22 Origin null", requestWith("Origin: null")),
  vector(403, "H-22 a list of Origins", requestWith("Origin: http://a http://b")),
];

const TARGETS: readonly RequestVector[] = [
  vector(400, "H-30 an absolute target elsewhere", target("http://evil.example/x")),
  vector(101, "H-30 an absolute target here", target("http://127.0.0.1/x")),
  vector(400, "H-31 an asterisk", target("*")),
  vector(400, "H-31 CONNECT", REQUEST.replace("GET /", "CONNECT a:1")),
  vector(400, "H-31 OPTIONS *", REQUEST.replace("GET /", "OPTIONS *")),
  vector(400, "H-31 an empty target", target("")),
  vector(400, "H-31 no target", REQUEST.replace(" /", "")),
  vector(400, "H-31 a relative target", target("x")),
  vector(101, "H-31 //evil/x is a path", target("//evil/x")),
  vector(400, "H-31 a fragment", target("/x#f")),
  vector(400, "H-32 NUL in the target", target("/\0")),
  vector(400, "H-32 a control character in the target", target("/\x01")),
  vector(400, "H-32 a tab in the target", target("/\t")),
  vector(400, "H-32 DEL in the target", target("/\x7f")),
  vector(400, "H-32 0xe9 in the target", target("/\xe9")),
  ...["POST", "get", "HEAD", "PUT"].map((method) =>
    vector(405, `H-33 ${method}`, REQUEST.replace("GET", method), "allow: GET")
  ),
  vector(505, "H-34 HTTP/1.0", REQUEST.replace("HTTP/1.1", "HTTP/1.0")),
  vector(505, "H-34 HTTP/1.2", REQUEST.replace("HTTP/1.1", "HTTP/1.2")),
  vector(505, "H-34 HTTP/2.0", REQUEST.replace("HTTP/1.1", "HTTP/2.0")),
  vector(400, "H-34 a space behind the version", REQUEST.replace("HTTP/1.1", "HTTP/1.1 ")),
  vector(400, "H-34 http/1.1", REQUEST.replace("HTTP/1.1", "http/1.1")),
];

const BODIES: readonly RequestVector[] = [
  vector(400, "H-35 a body of 5 bytes", requestWith("Content-Length: 5") + "hello"),
  vector(101, "H-35 Content-Length 0", requestWith("Content-Length: 0")),
  vector(400, "H-35 Content-Length -1", requestWith("Content-Length: -1")),
  vector(400, "H-35 two Content-Lengths", requestWith("Content-Length: 0", "Content-Length: 5")),
  vector(400, "H-35 Content-Length +5", requestWith("Content-Length: +5")),
  vector(400, "H-35 Content-Length 0x5", requestWith("Content-Length: 0x5")),
  vector(400, "H-35 Content-Length 2^64", requestWith("Content-Length: 18446744073709551616")),
  ...[
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding:   chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\x0bchunked",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
  ].map((lines) => vector(400, `H-36 ${lines.replace("\r\n", " and ")}`, requestWith(lines))),
  vector(101, "H-37 Expect: 100-continue", requestWith("Expect: 100-continue")),
];

const switching = (...values: string[]): string => change("Connection", ...values);
const upgrading = (...values: string[]): string => change("Upgrade", ...values);

const SWITCHING: readonly RequestVector[] = [
  vector(400, "H-40 Connection: notupgrade", switching("notupgrade")),
  vector(400, "H-40 no Connection", switching()),
  vector(400, "H-40 Connection: Upgrade-Insecure", switching("Upgrade-Insecure")),
  vector(400, "H-40 Connection: close", switching("close")),
  vector(426, "H-40 no Upgrade", upgrading(), "upgrade: websocket"),
  vector(101, "H-41 Connection: keep-alive, Upgrade", switching("keep-alive, Upgrade")),
  vector(101, "H-41 two Connections", switching("keep-alive", "Upgrade")),
  vector(101, "H-41 empty elements", switching("upgrade ,, x")),
  vector(101, "H-41 any case", switching("uPgRaDe").replace("Upgrade:", "uPGRADE:")),
  vector(101, "H-42 Upgrade: h2c, websocket", upgrading("h2c, websocket")),
  vector(101, "H-42 Upgrade: WebSocket", upgrading("WebSocket")),
  vector(426, "H-42 Upgrade: websocket/13", upgrading("websocket/13"), "upgrade: websocket"),
  vector(426, "H-42 Upgrade: xwebsocket", upgrading("xwebsocket"), "upgrade: websocket"),
];

const LINES: readonly RequestVector[] = [
  vector(400, "H-43 LF alone behind the first line", REQUEST.replace("\r\n", "\n")),
  vector(400, "H-43 LF alone behind a field", requestWith("X: y\nA: b")),
  vector(400, "H-43 LF alone everywhere", REQUEST.replaceAll("\r\n", "\n")),
  vector(400, "H-43 CR alone in a value", requestWith("X: a\rb")),
  vector(400, "H-43 two CRs", requestWith("X: a\r")),
  vector(400, "H-43 a folded line", requestWith("X: a", " b")),
  vector(400, "H-43 a folded line that looks like a field", requestWith("X: a", "\tA: b")),
  vector(400, "H-43 a folded line at once", `${REQUEST.slice(0, -2)} `),
  vector(400, "H-43 a space before the colon", REQUEST.replace("Upgrade:", "Upgrade :")),
  vector(400, "H-43 a space before the colon at once", `${REQUEST.slice(0, -2)}X `),
  vector(400, "H-43 NUL in a value", requestWith("X: a\0b")),
  vector(400, "H-43 an empty name", requestWith(": x")),
  vector(400, "H-43 an empty name at once", `${REQUEST.slice(0, -2)}:`),
  vector(400, "H-43 no colon", requestWith("X")),
  vector(400, "H-43 a name with a space", requestWith("X Y: z")),
  vector(400, "H-43 a name with a parenthesis", requestWith("X(Y: z")),
  vector(400, "H-43 a name with 0x80", requestWith("X\x80: z")),
  vector(400, "H-43 a name with 0xff", requestWith("X\xff: z")),
];

const fields = (count: number, name: (i: number) => string): string =>
  requestWith(...repeat(count, (i) => `${name(i)}: y`));

const SIZES: readonly RequestVector[] = [
  vector(101, "H-50 100 fields", fields(95, (i) => `X-${i}`)),
  vector(431, "H-50 101 fields", fields(96, (i) => `X-${i}`)),
  vector(431, "H-50 1000 fields", fields(1000, (i) => `X-${i}`)),
  vector(431, "H-50 3000 fields", fields(3000, (i) => `X${i}`)),
  vector(431, "H-50 3000 fields of the same name", fields(3000, () => "X")),
  vector(
    431,
    "H-50 101 fields, Upgrade the last",
    upgrading().replace("\r\n\r\n", `\r\n${"X: y\r\n".repeat(96)}Upgrade: websocket\r\n\r\n`),
  ),
  vector(101, "H-51 a field line of 8 KiB", requestWith(`X: ${"y".repeat(8189)}`)),
  vector(431, "H-51 a field line of 8 KiB + 1", requestWith(`X: ${"y".repeat(8190)}`)),
  vector(431, "H-51 a field of 20 kB", requestWith(`X: ${"y".repeat(20_000)}`)),
  vector(431, "H-51 a field of 60 kB", requestWith(`X: ${"y".repeat(60_000)}`)),
  vector(101, "H-51 a first line of 8 KiB", target(`/${"x".repeat(8178)}`)),
  vector(414, "H-51 a first line of 8 KiB + 1", target(`/${"x".repeat(8179)}`)),
  vector(414, "H-51 a first line of 20 kB", target(`/${"x".repeat(20_000)}`)),
  vector(414, "H-51 a first line that does not end", "G".repeat(20_000)),
  vector(431, "H-51 a field that does not end", `${REQUEST.slice(0, -2)}X: ${"y".repeat(20_000)}`),
  vector(
    431,
    "H-51 a head past 16 KiB, each line below 8 KiB",
    requestWith(...repeat(4, (i) => `X-${i}: ${"y".repeat(5000)}`)),
  ),
  vector(
    101,
    "H-52 15 kB of fields, each line below 8 KiB",
    requestWith(...repeat(3, (i) => `X-${i}: ${"y".repeat(5000)}`)),
  ),
];

/** Names that a plain object would know. */
export const PROTOTYPE_NAMES: readonly string[] = Object.getOwnPropertyNames(Object.prototype);

const all = PROTOTYPE_NAMES.join(", ");

const PROTOTYPE: readonly RequestVector[] = [
  vector(
    101,
    "H-60 names of Object.prototype as fields",
    requestWith(...PROTOTYPE_NAMES.map((name) => `${name}: x`)),
  ),
  vector(
    101,
    "H-60 names of Object.prototype as subprotocols",
    requestWith(`Sec-WebSocket-Protocol: ${all}`),
  ),
  vector(
    101,
    "H-60 names of Object.prototype as extensions and parameters",
    requestWith(
      `Sec-WebSocket-Extensions: ${
        PROTOTYPE_NAMES.map((name) => `${name}; ${name}; ${name}=${name}`).join(", ")
      }`,
    ),
  ),
  vector(
    101,
    "H-60 names of Object.prototype in query and cookies",
    target(`/?${PROTOTYPE_NAMES.map((name) => `${name}=1`).join("&")}`).replace(
      "\r\n\r\n",
      `\r\nCookie: ${PROTOTYPE_NAMES.map((name) => `${name}=1`).join("; ")}\r\n\r\n`,
    ),
  ),
];

const extensions = (value: string): string => requestWith(`Sec-WebSocket-Extensions: ${value}`);
const protocols = (value: string): string => requestWith(`Sec-WebSocket-Protocol: ${value}`);
const manyProtocols = (count: number): string => repeat(count, (i) => `p${i}`).join(",");

/** The fields whose values are lists. */
const LIST_FIELDS = [
  "Connection",
  "Upgrade",
  "Sec-WebSocket-Extensions",
  "Sec-WebSocket-Protocol",
];

const LISTS: readonly RequestVector[] = [
  ...[40, 400, 4000].map((count) =>
    vector(
      400,
      `H-61 a quoted string of ${count} escapes`,
      extensions(`a; b="${"\\c".repeat(count)}`),
    )
  ),
  vector(431, "H-61 a quoted string of 20000 escapes", extensions(`a; b="${"\\c".repeat(20_000)}`)),
  ...LIST_FIELDS.flatMap((name) =>
    ([
      ["b, 60000 spaces, x", `b${" ".repeat(60_000)}x`],
      ["60000 commas", ",".repeat(60_000)],
      ["60000 semicolons", ";".repeat(60_000)],
      ["8000 parameters", "a;".repeat(8000)],
    ] as const).map(([what, value]) =>
      vector(431, `H-62 ${name}: ${what}`, requestWith(`${name}: ${value}`))
    )
  ),
  vector(101, "H-63 an empty element", protocols("a,,b")),
  vector(400, "H-63 no token", protocols("a b")),
  vector(400, "H-63 no token among tokens", protocols("a, b c")),
  vector(400, "H-63 the same twice", protocols("a, a")),
  vector(
    400,
    "H-63 the same in two fields",
    requestWith(...Array(2).fill("Sec-WebSocket-Protocol: a")),
  ),
  vector(400, "H-63 bytes above ASCII", protocols("\xff\xfe")),
  vector(400, "H-63 nothing", protocols("")),
  vector(400, "H-63 only commas", protocols(",,")),
  vector(400, "H-63 a quoted string", protocols('"a"')),
  vector(101, "H-63 100 entries", protocols(manyProtocols(100))),
  vector(400, "H-63 101 entries", protocols(manyProtocols(101))),
  vector(400, "H-63 1000 entries", protocols(manyProtocols(1000))),
  ...["permessage-deflate; =", ";", "a; b=", 'a; b="x y"', 'a; b="x', "a b", "a;", "=", "\xff"].map(
    (value) => vector(400, `H-64 ${JSON.stringify(value)}`, extensions(value)),
  ),
  ...[
    "foo",
    "permessage-deflate; permessage-deflate",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=08",
    "permessage-deflate; client_max_window_bits=99",
    "permessage-deflate; server_no_context_takeover=1",
  ].map((value) => vector(101, `H-65 declines ${value}`, extensions(value), ACCEPT)),
];

const OTHERS: readonly RequestVector[] = [
  vector(404, "H-70 a path that accept refuses", target("/refused")),
  vector(
    101,
    "H-71 nonsense in Cookie and Authorization",
    requestWith("Cookie: =;;,\xff", "Authorization: Basic %%%"),
  ),
  vector(101, "H-71 a target with %zz", target("/%zz?%")),
  vector(505, "H-80 the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  vector(505, "H-80 the first line of HTTP/2's preface", "PRI * HTTP/2.0\r\n"),
  vector(400, "H-81 a TLS ClientHello", "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"),
  vector(400, "H-81 the first byte of a TLS ClientHello", "\x16"),
  vector(400, "H-81 the first byte of an SSL 2 ClientHello", "\x80"),
  vector(400, "H-83 PROXY protocol v1", `PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n${REQUEST}`),
  vector(
    400,
    "H-83 PROXY protocol v2",
    `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x04\0\x1f\x40${REQUEST}`,
  ),
];

/** All of them. */
export const REQUEST_VECTORS: readonly RequestVector[] = [
  ...BASE,
  ...VERSIONS,
  ...KEYS,
  ...HOSTS,
  ...TARGETS,
  ...BODIES,
  ...SWITCHING,
  ...LINES,
  ...SIZES,
  ...PROTOTYPE,
  ...LISTS,
  ...OTHERS,
];
