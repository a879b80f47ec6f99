/**
 * The opening handshake over HTTP/2 (RFC 8441 sections 4 and 5), both sides, as checks and lists of
 * fields without I/O: an extended CONNECT in place of GET, 200 in place of 101, and no key.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import { HeaderList, isToken, trimSpace } from "./headers.ts";
import { type Fail, isHost } from "./host.ts";
import type { RequestHead, ResponseHead } from "./http.ts";
import {
  type Agreement,
  checkDestination,
  type CheckedOpening,
  checkHandshakeFields,
  choiceFields,
  findVersionFault,
  offerFields,
  type OfferOptions,
  readAgreement,
  readOffers,
  type ResponseOptions,
  VERSION,
} from "./negotiation.ts";
import { show } from "./show.ts";

/**
 * The fields of an HTTP/2 message in order, pseudo-header fields such as `:method` among them.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { type Http2Fields, isExtendedConnect } from "@twoway/websocket/core";
 *
 * const fields: Http2Fields = [[":method", "CONNECT"], [":protocol", "websocket"], [":path", "/"]];
 * assert(isExtendedConnect(fields));
 * ```
 */
export type Http2Fields = Iterable<readonly [name: string, value: string]>;

/**
 * What a request to open a WebSocket over HTTP/2 says, once it has been checked.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkConnect, type CheckedConnect, createConnect } from "@twoway/websocket/core";
 *
 * const fields = createConnect({ host: "app.example", target: "/chat", isSecure: true });
 * const { head, scheme }: CheckedConnect = checkConnect(fields);
 * assertEquals([head.method, head.target, scheme], ["CONNECT", "/chat", "https"]);
 * assertEquals(head.headers.get("host"), "app.example");
 * ```
 */
export interface CheckedConnect extends CheckedOpening {
  /** The method is `"CONNECT"`, the target `:path`; `:authority` stands in its fields as `host`. */
  readonly head: RequestHead;
  /** `:scheme` in lower case: `"https"` for `wss:`, `"http"` for `ws:`. */
  readonly scheme: string;
}

/** What an extended CONNECT has (RFC 8441 section 4); any other pseudo-header field is undefined. */
const PSEUDO_FIELDS = [":method", ":protocol", ":scheme", ":authority", ":path"];

/** "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields." */
const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Whether a request is an extended CONNECT, for whatever protocol; any other is plain HTTP.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isExtendedConnect } from "@twoway/websocket/core";
 *
 * assert(isExtendedConnect([[":method", "CONNECT"], [":protocol", "websocket"]]));
 * assert(!isExtendedConnect([[":method", "CONNECT"], [":authority", "a.example:443"]]));
 * ```
 */
export function isExtendedConnect(fields: Http2Fields): boolean {
  let isConnect = false;
  let hasProtocol = false;
  for (const [name, value] of fields) {
    isConnect ||= name === ":method" && value === "CONNECT";
    hasProtocol ||= name === ":protocol";
  }
  return isConnect && hasProtocol;
}

/**
 * Checks a request to open a WebSocket (RFC 8441 section 5). Throws a {@linkcode HandshakeError} with
 * the status and header fields of the refusal: 400, 405, or 501 for another protocol.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { checkConnect, createConnect, HandshakeError } from "@twoway/websocket/core";
 *
 * const options = { host: "app.example", target: "/", isSecure: true, protocols: ["chat.v1"] };
 * const fields = createConnect(options);
 * assertEquals(checkConnect(fields).protocols, ["chat.v1"]);
 *
 * const malformed = [...fields, ["Upgrade", "websocket"] as const];
 * const error = assertThrows(() => checkConnect(malformed), HandshakeError);
 * assertEquals(error.status, 400);
 * ```
 */
export function checkConnect(fields: Http2Fields): CheckedConnect {
  const { pseudo, headers } = readFields(fields, PSEUDO_FIELDS, malformed);
  const { ":method": method, ":protocol": protocol } = pseudo;
  if (method !== "CONNECT") throw refuse(405, `the method is ${show(method ?? "")}, not CONNECT`);
  if (protocol === undefined) throw malformed("it has no :protocol");
  if (protocol.toLowerCase() !== "websocket") {
    throw refuse(501, `:protocol is ${show(protocol)}, not websocket`);
  }
  const scheme = pseudo[":scheme"]?.toLowerCase();
  if (scheme !== "https" && scheme !== "http") {
    throw malformed(`:scheme is ${show(scheme ?? "")}, neither https nor http`);
  }
  const host = checkAuthority(pseudo[":authority"], headers);
  const target = checkPath(pseudo[":path"]);
  if (headers.has("content-length")) throw malformed("it has a Content-Length");
  const fault = findVersionFault(headers);
  if (fault !== null) throw refuse(400, fault, [["sec-websocket-version", VERSION]]);
  const offers = readOffers(headers, host, malformed);
  return { ...offers, scheme, head: { method, target, headers: asOverHttp1(host, headers) } };
}

/** Parts the fields of a message; throws for one that is malformed (RFC 9113 section 8.2). */
function readFields(
  fields: Http2Fields,
  known: readonly string[],
  fail: Fail,
): { pseudo: Partial<Record<string, string>>; headers: HeaderList } {
  const pseudo: Partial<Record<string, string>> = {};
  const headers = new HeaderList();
  for (const [name, value] of fields) {
    if (name.startsWith(":")) {
      if (!known.includes(name)) throw fail(`it has a field ${show(name)}, which is unknown here`);
      if (pseudo[name] !== undefined) throw fail(`it has more than one ${name}`);
      if (headers.size > 0) throw fail(`${name} stands behind other header fields`);
      pseudo[name] = value;
    } else {
      checkRegularField(name, value, fail);
      headers.append(name, value);
    }
  }
  return { pseudo, headers };
}

function checkRegularField(name: string, value: string, fail: Fail): void {
  if (!isToken(name)) throw fail(`header name ${show(name)} is not a token`);
  // "Field names MUST be converted to lowercase when constructing an HTTP/2 message." (8.2)
  if (name !== name.toLowerCase()) throw fail(`header name ${show(name)} is not in lower case`);
  const isConnectionField = CONNECTION_FIELDS.has(name) || (name === "te" && value !== "trailers");
  if (isConnectionField) throw fail(`header ${show(name)} has no place in HTTP/2`);
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
    throw fail(`header ${show(name)} has a control character, or one beyond Latin-1`);
  }
  // "A field value MUST NOT start or end with an ASCII whitespace character" (8.2.1)
  if (trimSpace(value) !== value) throw fail(`header ${show(name)} has space around its value`);
}

function checkAuthority(authority: string | undefined, headers: HeaderList): string {
  if (authority === undefined || !isHost(authority)) {
    throw malformed(`:authority is ${show(authority ?? "")}`);
  }
  // "A server SHOULD treat a request as malformed if it contains a Host header field that identifies
  // an entity that differs from the entity in the ':authority' pseudo-header field." (8.3.1)
  const isOther = (host: string): boolean => host.toLowerCase() !== authority.toLowerCase();
  if (headers.getAll("host").some(isOther)) throw malformed("Host differs from :authority");
  return authority;
}

/** It may hold secrets, so messages don't show it. */
function checkPath(path: string | undefined): string {
  if (path !== undefined && /^\/[\x21\x22\x24-\x7e]*$/.test(path)) return path;
  throw malformed(":path is not a path of printable ASCII characters without fragment");
}

/**
 * As over HTTP/1.1, so that whoever reads the request finds the host where it always is, and one
 * Cookie: "the Cookie header field MAY be split into separate header fields", which "MUST be
 * concatenated ... using the two-octet delimiter of 0x3b, 0x20" (RFC 9113 section 8.2.3).
 */
function asOverHttp1(host: string, headers: HeaderList): HeaderList {
  const list = new HeaderList();
  list.append("host", host);
  for (const [name, value] of headers) {
    if (name === "cookie" && list.has(name)) continue;
    if (name === "cookie") list.append(name, headers.getAll(name).join("; "));
    else if (name !== "host") list.append(name, value);
  }
  return list;
}

/**
 * The fields of the response that opens the WebSocket, `:status` 200 first. Throws a `TypeError` for
 * a subprotocol or an extension that was not offered, and for header fields that can't be written or
 * are the handshake's own.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkConnect, createConnect, createConnectResponse } from "@twoway/websocket/core";
 *
 * const options = { host: "app.example", target: "/", isSecure: true, protocols: ["chat.v1"] };
 * const request = checkConnect(createConnect(options));
 * assertEquals(createConnectResponse(request, { protocol: "chat.v1" }), [
 *   [":status", "200"],
 *   ["sec-websocket-protocol", "chat.v1"],
 * ]);
 * ```
 */
export function createConnectResponse(
  request: CheckedOpening,
  options: ResponseOptions = {},
): [name: string, value: string][] {
  const fields = choiceFields(request, options).map(toHttp2);
  for (const [name, value] of fields) checkRegularField(name, value, cannotAccept);
  return [[":status", "200"], ...fields];
}

/**
 * What a client asks for over HTTP/2.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ConnectRequestOptions, createConnect } from "@twoway/websocket/core";
 *
 * const options: ConnectRequestOptions = {
 *   host: "app.example",
 *   target: "/chat?room=1",
 *   isSecure: true,
 *   headers: { authorization: "Bearer 123" },
 * };
 * assertEquals(createConnect(options).at(-1), ["authorization", "Bearer 123"]);
 * ```
 */
export interface ConnectRequestOptions extends OfferOptions {
  /** Whether the connection is encrypted: `wss:`. */
  readonly isSecure: boolean;
}

/**
 * The fields of a request to open a WebSocket (RFC 8441 section 5), pseudo-header fields first. Throws
 * a `TypeError` for subprotocols that are not tokens or not unique, for an Origin given twice, and
 * for whatever can't stand in a request.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createConnect } from "@twoway/websocket/core";
 *
 * assertEquals(createConnect({ host: "app.example", target: "/chat", isSecure: true }), [
 *   [":method", "CONNECT"],
 *   [":protocol", "websocket"],
 *   [":scheme", "https"],
 *   [":authority", "app.example"],
 *   [":path", "/chat"],
 *   ["sec-websocket-version", "13"],
 * ]);
 * ```
 */
export function createConnect(options: ConnectRequestOptions): [name: string, value: string][] {
  checkDestination(options);
  const fields: [string, string][] = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    // "the scheme of the target URI MUST be 'https' for 'wss'-schemed WebSockets and 'http' for 'ws'"
    [":scheme", options.isSecure ? "https" : "http"],
    [":authority", options.host],
    [":path", options.target],
  ];
  for (const [name, value] of offerFields(options).map(toHttp2)) {
    checkRegularField(name, value, (why) => new TypeError(`Cannot connect: ${why}`));
    fields.push([name, value]);
  }
  return fields;
}

function toHttp2([name, value]: [string, string]): [string, string] {
  return [name.toLowerCase(), value];
}

/**
 * Reads the fields of a response. Throws a {@linkcode HandshakeError} for one that is malformed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readConnectResponse } from "@twoway/websocket/core";
 *
 * const { status, headers } = readConnectResponse([[":status", "404"], ["server", "a"]]);
 * assertEquals([status, headers.get("server")], [404, "a"]);
 * ```
 */
export function readConnectResponse(fields: Http2Fields): ResponseHead {
  const fail = (why: string): HandshakeError =>
    new HandshakeError(`Cannot read the response: ${why}`);
  const { pseudo: { ":status": status = "" }, headers } = readFields(fields, [":status"], fail);
  if (!/^[1-9]\d\d$/.test(status)) throw fail(`:status is ${show(status)}`);
  return { status: Number(status), reason: "", headers };
}

/**
 * Checks the response to a request. Throws a {@linkcode HandshakeError} that has the response's
 * status and header fields.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkConnectResponse, readConnectResponse } from "@twoway/websocket/core";
 *
 * const response = readConnectResponse([[":status", "200"], ["sec-websocket-protocol", "a"]]);
 * const agreement = checkConnectResponse(response, { protocols: ["a", "b"] });
 * assertEquals(agreement, { protocol: "a", extensions: [] });
 * ```
 */
export function checkConnectResponse(
  { status, headers }: ResponseHead,
  request: Pick<OfferOptions, "protocols" | "extensions">,
): Agreement {
  const fail = (why: string): HandshakeError =>
    new HandshakeError(`Cannot connect: ${why}`, { status, headers });
  // "Any 2xx (Successful) response indicates that" the tunnel is there (RFC 9110 section 9.3.6)
  if (status < 200 || status > 299) throw fail(`the server answered with status ${status}`);
  checkHandshakeFields(headers, fail);
  return readAgreement({ headers }, request, fail);
}

function refuse(
  status: number,
  why: string,
  headers: [name: string, value: string][] = [],
): HandshakeError {
  return new HandshakeError(`Cannot accept the handshake: ${why}`, { status, headers });
}

function cannotAccept(why: string): TypeError {
  return new TypeError(`Cannot accept the handshake: ${why}`);
}

function malformed(why: string): HandshakeError {
  return refuse(400, why);
}
