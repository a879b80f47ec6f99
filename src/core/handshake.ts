/**
 * The opening handshake over HTTP/1.1 (RFC 6455 section 4), both sides, as checks and messages
 * without I/O.
 *
 * @module
 */

import { base64Length, toBase64, writeBase64 } from "./base64.ts";
import { HandshakeError } from "./errors.ts";
import { HeaderList, listHas } from "./headers.ts";
import { checkHost, type Fail } from "./host.ts";
import { requestBodyFraming } from "./body.ts";
import { fieldLines, type RequestHead, type ResponseHead, writeLatin1 } from "./http.ts";
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
import { encodeUtf8 } from "./utf8.ts";

export {
  type Agreement,
  type CheckedOpening,
  checkProtocols,
  type ResponseOptions,
} from "./negotiation.ts";

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

/** Base64 of 16 bytes; bits that it leaves over may be anything, since only the text is hashed. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Characters of a key, and of its answer. */
const KEY_LENGTH = 24;
const ACCEPT_LENGTH = base64Length(20);

/** What is hashed: another key each time, and what is behind each. */
const hashed = encodeUtf8("=".repeat(KEY_LENGTH) + GUID);

function checkKey(key: string): void {
  if (!KEY.test(key)) throw new TypeError("The key is not 16 bytes in base64");
}

/** The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2). */
export async function acceptKey(key: string): Promise<string> {
  return toBase64(new Uint8Array(await digest(key)));
}

/** The SHA-1 of a key and the GUID. Throws a `TypeError` for what is no key. */
function digest(key: string): Promise<ArrayBuffer> {
  checkKey(key);
  for (let i = 0; i < KEY_LENGTH; i++) hashed[i] = key.charCodeAt(i);
  // It gets "a copy of the bytes" before it returns (Web Cryptography, section 14.3.5): the next key may
  // take this one's place.
  return crypto.subtle.digest("SHA-1", hashed);
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
  const key = readKey(headers);
  return { ...readOffers(headers, checkHost(headers, malformed), malformed), key };
}

// "If this version does not match a version understood by the server, the server MUST abort the
// WebSocket handshake ... and instead send an appropriate HTTP error code (such as 426 Upgrade
// Required) and a |Sec-WebSocket-Version| header field" (4.2.2)
function checkVersion(headers: HeaderList): void {
  const fault = findVersionFault(headers);
  if (fault !== null) throw upgradeRequired(fault);
}

function readKey(headers: HeaderList): string {
  const keys = headers.getAll("sec-websocket-key");
  if (keys.length === 1 && KEY.test(keys[0])) return keys[0];
  throw malformed(
    keys.length === 1
      ? "Sec-WebSocket-Key is not 16 bytes in base64"
      : `it has ${keys.length} Sec-WebSocket-Key fields, not one`,
  );
}

/** What every 101 response begins with: nothing of it has to be checked or encoded each time. */
const ACCEPTANCE = encodeUtf8(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Accept: ",
);

/**
 * The bytes of the 101 response to a request that has been checked (RFC 6455 section 4.2.2). Rejects
 * with a `TypeError` for a key that is not one, a subprotocol or an extension that was not offered, and
 * for header fields that can't be written or are the handshake's own.
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
  options: ResponseOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const hash = new Uint8Array(await digest(request.key));
  const end = `\r\n${fieldLines(choiceFields(request, options))}\r\n`;
  const start = ACCEPTANCE.length + ACCEPT_LENGTH;
  const bytes = new Uint8Array(start + end.length);
  bytes.set(ACCEPTANCE);
  writeBase64(bytes, ACCEPTANCE.length, hash);
  writeLatin1(bytes, start, end);
  return bytes;
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
export interface RequestOptions extends OfferOptions {
  /** See {@linkcode createKey}. */
  readonly key: string;
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
  const { host, target, key } = options;
  checkDestination(options);
  checkKey(key);
  const headers = new HeaderList();
  headers.append("Host", host);
  headers.append("Upgrade", "websocket");
  headers.append("Connection", "Upgrade");
  headers.append("Sec-WebSocket-Key", key);
  for (const [name, value] of offerFields(options)) headers.append(name, value);
  return { method: "GET", target, headers };
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
  return readAgreement({ headers }, request, fail);
}

function checkSwitch(headers: HeaderList, fail: Fail): void {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw fail("Upgrade is not websocket");
  if (!listHas(headers, "connection", "upgrade")) throw fail("Connection does not list Upgrade");
  // A 1xx response has no body (RFC 9112 section 6.3): frames follow at once, or not at all.
  if (headers.has("content-length") || headers.has("transfer-encoding")) {
    throw fail("the 101 response announces a body");
  }
  checkHandshakeFields(headers, fail);
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
