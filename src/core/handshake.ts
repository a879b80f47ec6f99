/**
 * The opening handshake over HTTP/1.1 (RFC 6455 section 4), both sides, as checks and messages
 * without I/O.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import {
  checkField,
  checkUserHeaders,
  type ExtensionOffer,
  findUnasked,
  HeaderList,
  type HeadersInput,
  isToken,
  listElements,
  listHas,
  readExtensions,
} from "./headers.ts";
import { checkHost, type Fail, isHost } from "./host.ts";
import { encodeResponse, requestBodyFraming, type RequestHead, type ResponseHead } from "./http.ts";
import { show } from "./show.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * What a request to open a WebSocket says, once it has been checked: in any version of HTTP.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   type CheckedOpening,
 *   checkRequest,
 *   createKey,
 *   createRequest,
 * } from "@twoway/websocket/core";
 *
 * function choose(ours: string[], { protocols }: CheckedOpening): string | undefined {
 *   return ours.find((protocol) => protocols.includes(protocol));
 * }
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const protocols = ["chat.v1", "chat.v2"];
 * const opening = checkRequest(createRequest({ host: "localhost", target: "/", key, protocols }));
 * assertEquals(choose(["chat.v3", "chat.v2"], opening), "chat.v2");
 * ```
 */
export interface CheckedOpening {
  /** The Host field. */
  readonly host: string;
  /** The Origin field; `null` if there is none, as from programs that are no browsers. */
  readonly origin: string | null;
  /** The subprotocols offered, in order of preference. */
  readonly protocols: readonly string[];
  /** The extensions offered, in order of preference. */
  readonly extensions: readonly ExtensionOffer[];
}

/**
 * The same in HTTP/1.1.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { type CheckedRequest, createResponse } from "@twoway/websocket/core";
 *
 * const request: CheckedRequest = {
 *   key: "dGhlIHNhbXBsZSBub25jZQ==",
 *   host: "localhost",
 *   origin: null,
 *   protocols: ["chat.v2", "chat.v1"],
 *   extensions: [],
 * };
 * const protocol = request.protocols.find((offer) => offer === "chat.v1");
 * const response = new TextDecoder().decode(await createResponse(request, { protocol }));
 * assert(response.includes("Sec-WebSocket-Protocol: chat.v1\r\n"));
 * ```
 */
export interface CheckedRequest extends CheckedOpening {
  /** `Sec-WebSocket-Key`, as it was written. */
  readonly key: string;
}

/** RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const VERSION = "13";

/** Base64 of 16 bytes; bits that it leaves over may be anything, since only the text is hashed. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** The most subprotocols that are considered; whoever offers more does not mean it. */
const MAX_OFFERS = 100;

/** The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2). */
export async function acceptKey(key: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-1", encodeUtf8(key + GUID));
  return toBase64(new Uint8Array(hash));
}

/**
 * A `Sec-WebSocket-Key` from 16 random bytes (RFC 6455 section 4.1).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createKey } from "@twoway/websocket/core";
 *
 * assertEquals(createKey(crypto.getRandomValues(new Uint8Array(16))).length, 24);
 * ```
 */
export function createKey(random: Uint8Array): string {
  if (random.length !== 16) throw new TypeError(`A key takes 16 bytes, not ${random.length}`);
  return toBase64(random);
}

function toBase64(bytes: Uint8Array): string {
  // Applied, not spread: that would make an array of the bytes first.
  return btoa(String.fromCharCode.apply(null, bytes as unknown as number[]));
}

/**
 * Whether a request asks for a WebSocket; any other is plain HTTP.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { HeaderList, isUpgradeRequest } from "@twoway/websocket/core";
 *
 * const headers = new HeaderList();
 * const request = { method: "GET", target: "/", headers };
 * assert(!isUpgradeRequest(request));
 * headers.append("Upgrade", "WebSocket");
 * assert(isUpgradeRequest(request));
 * ```
 */
export function isUpgradeRequest({ headers }: RequestHead): boolean {
  return listHas(headers, "upgrade", "websocket");
}

/**
 * Checks a request to open a WebSocket (RFC 6455 section 4.2.1). Throws a
 * {@linkcode HandshakeError} with the status and header fields of the refusal: 400, 405 or 426.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { checkRequest, createKey, createRequest, HandshakeError } from "@twoway/websocket/core";
 *
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const head = createRequest({ host: "localhost", target: "/", key, protocols: ["chat.v1"] });
 * assertEquals(checkRequest(head).protocols, ["chat.v1"]);
 *
 * const post = { ...head, method: "POST" };
 * const error = assertThrows(() => checkRequest(post), HandshakeError);
 * assertEquals(error.status, 405);
 * ```
 */
export function checkRequest(head: RequestHead): CheckedRequest {
  const { method, headers } = head;
  if (method !== "GET") {
    throw refuse(405, `the method is ${show(method)}, not GET`, [["allow", "GET"]]);
  }
  if (!isUpgradeRequest(head)) throw upgradeRequired("Upgrade does not list websocket");
  if (!listHas(headers, "connection", "upgrade")) {
    throw malformed("Connection does not list Upgrade");
  }
  const framing = requestBodyFraming(head);
  if (framing.kind === "chunked" || (framing.kind === "length" && framing.length > 0)) {
    throw malformed("the request has a body");
  }
  checkVersion(headers);
  return {
    key: checkKey(headers),
    host: checkHost(headers, malformed),
    origin: checkOrigin(headers),
    protocols: checkOffers(headers),
    extensions: readExtensions(headers.get("sec-websocket-extensions"), malformed),
  };
}

// "If this version does not match a version understood by the server, the server MUST abort the
// WebSocket handshake ... and instead send an appropriate HTTP error code (such as 426 Upgrade
// Required) and a |Sec-WebSocket-Version| header field" (4.2.2)
function checkVersion(headers: HeaderList): void {
  const version = headers.get("sec-websocket-version");
  if (version === VERSION) return;
  const found = version === null ? "missing" : show(version);
  throw upgradeRequired(`Sec-WebSocket-Version is ${found}, not "${VERSION}"`);
}

function checkKey(headers: HeaderList): string {
  const keys = headers.getAll("sec-websocket-key");
  if (keys.length === 1 && KEY.test(keys[0])) return keys[0];
  throw malformed(
    keys.length === 1
      ? "Sec-WebSocket-Key is not 16 bytes in base64"
      : `it has ${keys.length} Sec-WebSocket-Key fields, not one`,
  );
}

function checkOrigin(headers: HeaderList): string | null {
  const origins = headers.getAll("origin");
  if (origins.length > 1) throw malformed("it has more than one Origin field");
  return origins[0] ?? null;
}

function checkOffers(headers: HeaderList): string[] {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return [];
  const protocols = listElements(value);
  // The values are not shown: some clients carry tokens in them.
  if (protocols.length === 0 || !protocols.every(isToken)) {
    throw malformed("Sec-WebSocket-Protocol is not a list of tokens");
  }
  if (new Set(protocols).size < protocols.length) {
    throw malformed("Sec-WebSocket-Protocol lists the same subprotocol twice");
  }
  if (protocols.length > MAX_OFFERS) {
    throw malformed(
      `Sec-WebSocket-Protocol lists ${protocols.length} subprotocols, more than ${MAX_OFFERS}`,
    );
  }
  return protocols;
}

/**
 * What the server adds to its response.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import {
 *   checkRequest,
 *   createKey,
 *   createRequest,
 *   createResponse,
 *   type ResponseOptions,
 * } from "@twoway/websocket/core";
 *
 * const options: ResponseOptions = { headers: { "Set-Cookie": "seen=1" } };
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const request = checkRequest(createRequest({ host: "localhost", target: "/", key }));
 * const response = new TextDecoder().decode(await createResponse(request, options));
 * assert(response.includes("Set-Cookie: seen=1\r\n"));
 * ```
 */
export interface ResponseOptions {
  /** One of the subprotocols offered. */
  readonly protocol?: string;
  /** The value of `Sec-WebSocket-Extensions`; empty for none. */
  readonly extensions?: string;
  /** Further header fields. */
  readonly headers?: HeadersInput;
}

/**
 * The bytes of the 101 response to a request that has been checked (RFC 6455 section 4.2.2). Rejects
 * with a `TypeError` for a subprotocol or an extension that was not offered, and for header fields
 * that can't be written or are the handshake's own.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkRequest, createRequest, createResponse } from "@twoway/websocket/core";
 *
 * const key = "dGhlIHNhbXBsZSBub25jZQ=="; // the sample of RFC 6455
 * const request = checkRequest(createRequest({ host: "localhost", target: "/", key }));
 * assertEquals(new TextDecoder().decode(await createResponse(request)).split("\r\n"), [
 *   "HTTP/1.1 101 Switching Protocols",
 *   "Upgrade: websocket",
 *   "Connection: Upgrade",
 *   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
 *   "",
 *   "",
 * ]);
 * ```
 */
export async function createResponse(
  request: CheckedRequest,
  { protocol, extensions = "", headers }: ResponseOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const fields: [string, string][] = [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", await acceptKey(request.key)],
  ];
  if (protocol !== undefined) {
    if (!request.protocols.includes(protocol)) {
      // It is not shown: clients offer tokens, and it may be a part of one.
      throw new TypeError("Cannot choose a subprotocol that was not offered");
    }
    fields.push(["Sec-WebSocket-Protocol", protocol]);
  }
  if (extensions !== "") {
    const unasked = findUnasked(readExtensions(extensions, misuse), request.extensions);
    if (unasked !== undefined) {
      throw new TypeError(`Cannot use extension ${show(unasked)}: it was not offered`);
    }
    fields.push(["Sec-WebSocket-Extensions", extensions]);
  }
  if (headers !== undefined) fields.push(...checkUserHeaders(headers));
  return encodeResponse({ status: 101, headers: fields });
}

/**
 * What a client asks for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createKey, createRequest, type RequestOptions } from "@twoway/websocket/core";
 *
 * const options: RequestOptions = {
 *   host: "app.example:8000",
 *   target: "/chat?room=1",
 *   key: createKey(crypto.getRandomValues(new Uint8Array(16))),
 *   protocols: ["chat.v1"],
 *   headers: { authorization: "Bearer 123" },
 * };
 * assertEquals(createRequest(options).target, "/chat?room=1");
 * ```
 */
export interface RequestOptions {
  /** Host and port, as in the Host field. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** See {@linkcode createKey}. */
  readonly key: string;
  /** The subprotocols to offer, in order of preference. @default {none} */
  readonly protocols?: readonly string[];
  /** The value of `Sec-WebSocket-Extensions`; empty for none. */
  readonly extensions?: string;
  /** The Origin field. @default {none} */
  readonly origin?: string;
  /** Further header fields. */
  readonly headers?: HeadersInput;
}

/**
 * A request to open a WebSocket (RFC 6455 section 4.1). Throws a `TypeError` for subprotocols that
 * are not tokens or not unique, for an Origin given twice, and for whatever can't stand in a request.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { createKey, createRequest, encodeRequest } from "@twoway/websocket/core";
 *
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const request = createRequest({ host: "app.example", target: "/chat", key });
 * assertEquals(request.headers.get("upgrade"), "websocket");
 * const bytes = encodeRequest(request); // ready to be written
 * assert(new TextDecoder().decode(bytes).startsWith("GET /chat HTTP/1.1\r\n"));
 * ```
 */
export function createRequest(options: RequestOptions): RequestHead {
  const { host, target, key, protocols = [], extensions = "", origin } = options;
  if (!isHost(host)) throw new TypeError(`Host ${show(host)} is not a host with an optional port`);
  // The query may hold secrets: it does not go into the message.
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(target)) {
    throw new TypeError("The target is not a path of printable ASCII characters without fragment");
  }
  if (!KEY.test(key)) throw new TypeError("The key is not 16 bytes in base64");
  checkProtocols(protocols);
  readExtensions(extensions, misuse);
  const headers = new HeaderList();
  const add = (name: string, value: string): void => {
    checkField(name, value);
    headers.append(name, value);
  };
  add("Host", host);
  add("Upgrade", "websocket");
  add("Connection", "Upgrade");
  add("Sec-WebSocket-Key", key);
  add("Sec-WebSocket-Version", VERSION);
  if (protocols.length > 0) add("Sec-WebSocket-Protocol", protocols.join(", "));
  if (extensions !== "") add("Sec-WebSocket-Extensions", extensions);
  if (origin !== undefined) add("Origin", origin);
  for (const [name, value] of checkUserHeaders(options.headers)) headers.append(name, value);
  if (headers.getAll("origin").length > 1) throw new TypeError("Origin is given more than once");
  return { method: "GET", target, headers };
}

/** Throws a `TypeError` unless these can be subprotocols to offer: unique tokens. */
export function checkProtocols(protocols: readonly string[]): void {
  if (!Array.isArray(protocols)) throw new TypeError("Option protocols is not a list");
  const wrong = protocols.findIndex((item) => typeof item !== "string" || !isToken(item));
  // It is not shown: some servers take credentials there.
  if (wrong >= 0) throw new TypeError(`Subprotocol ${wrong + 1} of the list is not a token`);
  if (new Set(protocols).size < protocols.length) {
    throw new TypeError("The same subprotocol is listed twice");
  }
}

/**
 * What server and client have agreed on.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Agreement, checkResponse, HeaderList } from "@twoway/websocket/core";
 *
 * const headers = new HeaderList();
 * headers.append("Upgrade", "websocket");
 * headers.append("Connection", "Upgrade");
 * headers.append("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * const request = { host: "localhost", target: "/", key: "dGhlIHNhbXBsZSBub25jZQ==" };
 * const agreement: Agreement = await checkResponse({ status: 101, reason: "", headers }, request);
 * assertEquals(agreement, { protocol: "", extensions: [] });
 * ```
 */
export interface Agreement {
  /** The subprotocol; empty for none. */
  readonly protocol: string;
  /** The extensions that the server uses. */
  readonly extensions: readonly ExtensionOffer[];
}

/**
 * Checks the response to a request (RFC 6455 section 4.1). Rejects with a
 * {@linkcode HandshakeError} that has the response's status and header fields.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { checkResponse, createKey, HandshakeError, HeaderList } from "@twoway/websocket/core";
 *
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const refusal = { status: 404, reason: "Not Found", headers: new HeaderList() };
 * const request = { host: "localhost", target: "/", key };
 * const error = await assertRejects(() => checkResponse(refusal, request), HandshakeError);
 * assertEquals(error.status, 404);
 * ```
 */
export async function checkResponse(
  { status, headers }: ResponseHead,
  request: RequestOptions,
): Promise<Agreement> {
  const fail = (why: string): HandshakeError =>
    new HandshakeError(`Cannot connect: ${why}`, { status, headers });
  if (status !== 101) throw fail(`the server answered with status ${status}`);
  checkSwitch(headers, fail);
  const accepts = headers.getAll("sec-websocket-accept");
  if (accepts.length !== 1 || accepts[0] !== await acceptKey(request.key)) {
    throw fail("Sec-WebSocket-Accept does not belong to our key");
  }
  const protocol = checkChoice(headers, request.protocols ?? [], fail);
  const extensions = readExtensions(headers.get("sec-websocket-extensions"), fail);
  const offered = readExtensions(request.extensions ?? null, misuse);
  const unasked = findUnasked(extensions, offered);
  if (unasked !== undefined) throw fail(`the server uses extension ${show(unasked)} unasked`);
  if (new Set(extensions.map(({ name }) => name)).size < extensions.length) {
    throw fail("the server uses an extension twice");
  }
  return { protocol, extensions };
}

function checkSwitch(headers: HeaderList, fail: Fail): void {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw fail("Upgrade is not websocket");
  if (!listHas(headers, "connection", "upgrade")) throw fail("Connection does not list Upgrade");
  // A 1xx response has no body (RFC 9112 section 6.3): frames follow at once, or not at all.
  if (headers.has("content-length") || headers.has("transfer-encoding")) {
    throw fail("the 101 response announces a body");
  }
  for (const [name, value] of headers) {
    if (name.startsWith("sec-websocket-") && /[^\t\x20-\x7e]/.test(value)) {
      throw fail(`header ${show(name)} has characters other than ASCII`);
    }
  }
}

function checkChoice(headers: HeaderList, offered: readonly string[], fail: Fail): string {
  const chosen = headers.getAll("sec-websocket-protocol");
  if (chosen.length === 0) return "";
  if (chosen.length > 1) throw fail("the server chose more than one subprotocol");
  if (!offered.includes(chosen[0])) {
    throw fail("the server chose a subprotocol that was not offered");
  }
  return chosen[0];
}

function refuse(
  status: number,
  why: string,
  headers: [name: string, value: string][] = [],
): HandshakeError {
  return new HandshakeError(`Cannot accept the handshake: ${why}`, { status, headers });
}

function upgradeRequired(why: string): HandshakeError {
  return refuse(426, why, [["upgrade", "websocket"], ["sec-websocket-version", VERSION]]);
}

function malformed(why: string): HandshakeError {
  return refuse(400, why);
}

function misuse(why: string): TypeError {
  return new TypeError(why);
}
