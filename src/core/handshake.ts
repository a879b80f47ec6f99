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
  HeaderList,
  type HeadersInput,
  isToken,
  listElements,
  listHas,
  parseExtensions,
} from "./headers.ts";
import { encodeResponse, requestBodyFraming, type RequestHead, type ResponseHead } from "./http.ts";

/** What a request to open a WebSocket says, once it has been checked. */
export interface CheckedRequest {
  /** `Sec-WebSocket-Key`, as it was written. */
  readonly key: string;
  /** The Host field. */
  readonly host: string;
  /** The Origin field; `null` if there is none, as from programs that are no browsers. */
  readonly origin: string | null;
  /** The subprotocols offered, in order of preference. */
  readonly protocols: readonly string[];
  /** The extensions offered, in order of preference. */
  readonly extensions: readonly ExtensionOffer[];
}

/** RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const VERSION = "13";

/** The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2). */
export async function acceptKey(key: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  return toBase64(new Uint8Array(hash));
}

/** A `Sec-WebSocket-Key` from 16 random bytes (RFC 6455 section 4.1). */
export function createKey(random: Uint8Array): string {
  if (random.length !== 16) throw new TypeError(`A key takes 16 bytes, not ${random.length}`);
  return toBase64(random);
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Whether a request asks for a WebSocket; any other is plain HTTP. */
export function isUpgradeRequest({ headers }: RequestHead): boolean {
  return listHas(headers, "upgrade", "websocket");
}

/**
 * Checks a request to open a WebSocket (RFC 6455 section 4.2.1). Throws a
 * {@linkcode HandshakeError} with the status and header fields of the refusal: 400, 405 or 426.
 */
export function checkRequest(head: RequestHead): CheckedRequest {
  const { method, headers } = head;
  if (method !== "GET") {
    throw refuse(405, `the method is ${show(method)}, not GET`, [["allow", "GET"]]);
  }
  if (!isUpgradeRequest(head)) throw upgradeRequired("Upgrade does not list websocket");
  if (!listHas(headers, "connection", "upgrade")) {
    throw refuse(400, "Connection does not list Upgrade");
  }
  const framing = requestBodyFraming(head);
  if (framing.kind === "chunked" || (framing.kind === "length" && framing.length > 0)) {
    throw refuse(400, "the request has a body");
  }
  checkVersion(headers);
  return {
    key: checkKey(headers),
    host: headers.get("host") ?? "",
    origin: checkOrigin(headers),
    protocols: checkOffers(headers),
    extensions: parseExtensions(headers.get("sec-websocket-extensions") ?? ""),
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

/** Base64 of 16 bytes; bits that it leaves over may be anything, since only the text is hashed. */
function checkKey(headers: HeaderList): string {
  const keys = headers.getAll("sec-websocket-key");
  if (keys.length === 1 && /^[A-Za-z0-9+/]{22}==$/.test(keys[0])) return keys[0];
  throw refuse(
    400,
    keys.length === 1
      ? "Sec-WebSocket-Key is not 16 bytes in base64"
      : `it has ${keys.length} Sec-WebSocket-Key fields, not one`,
  );
}

function checkOrigin(headers: HeaderList): string | null {
  const origins = headers.getAll("origin");
  if (origins.length > 1) throw refuse(400, "it has more than one Origin field");
  return origins[0] ?? null;
}

function checkOffers(headers: HeaderList): string[] {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return [];
  const protocols = listElements(value);
  // The values are not shown: some clients carry tokens in them.
  if (protocols.length === 0 || !protocols.every(isToken)) {
    throw refuse(400, "Sec-WebSocket-Protocol is not a list of tokens");
  }
  if (new Set(protocols).size < protocols.length) {
    throw refuse(400, "Sec-WebSocket-Protocol lists the same subprotocol twice");
  }
  return protocols;
}

/** What the server adds to its response. */
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
 * with a `TypeError` for a subprotocol that was not offered, and for header fields that can't be
 * written or are the handshake's own.
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
      throw new TypeError(`Cannot choose subprotocol ${show(protocol)}: it was not offered`);
    }
    fields.push(["Sec-WebSocket-Protocol", protocol]);
  }
  if (extensions !== "") fields.push(["Sec-WebSocket-Extensions", extensions]);
  return encodeResponse({ status: 101, headers: [...fields, ...checkUserHeaders(headers)] });
}

/** What a client asks for. */
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
 * are not tokens or not unique, and for whatever can't stand in a request.
 */
export function createRequest(options: RequestOptions): RequestHead {
  const { host, target, key, protocols = [], extensions = "", origin } = options;
  if (!/^\/[\x21-\x7e]*$/.test(target)) {
    throw new TypeError(`Cannot request ${show(target)}: not a path of printable ASCII characters`);
  }
  checkProtocols(protocols);
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
  return { method: "GET", target, headers };
}

/** Throws a `TypeError` unless these can be subprotocols to offer: unique tokens. */
export function checkProtocols(protocols: readonly string[]): void {
  if (!Array.isArray(protocols)) throw new TypeError("Option protocols is not a list");
  const wrong = protocols.find((protocol) => typeof protocol !== "string" || !isToken(protocol));
  if (wrong !== undefined) throw new TypeError(`Subprotocol ${show(wrong)} is not a token`);
  if (new Set(protocols).size < protocols.length) {
    throw new TypeError("The same subprotocol is listed twice");
  }
}

/** What server and client have agreed on. */
export interface Agreement {
  /** The subprotocol; empty for none. */
  readonly protocol: string;
  /** The extensions that the server uses. */
  readonly extensions: readonly ExtensionOffer[];
}

/**
 * Checks the response to a request (RFC 6455 section 4.1). Rejects with a
 * {@linkcode HandshakeError} that has the response's status and header fields.
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
  const extensions = parseExtensions(headers.get("sec-websocket-extensions") ?? "");
  const offered = parseExtensions(request.extensions ?? "").map(({ name }) => name);
  for (const { name } of extensions) {
    if (!offered.includes(name)) throw fail(`the server uses extension ${show(name)} unasked`);
  }
  if (new Set(extensions.map(({ name }) => name)).size < extensions.length) {
    throw fail("the server uses an extension twice");
  }
  return { protocol, extensions };
}

type Fail = (why: string) => HandshakeError;

function checkSwitch(headers: HeaderList, fail: Fail): void {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw fail("Upgrade is not websocket");
  if (!listHas(headers, "connection", "upgrade")) throw fail("Connection does not list Upgrade");
  // A 1xx response has no body (RFC 9112 section 6.3): frames follow at once, or not at all.
  if (headers.has("content-length") || headers.has("transfer-encoding")) {
    throw fail("the 101 response announces a body");
  }
  for (const [name, value] of headers) {
    if (name.startsWith("sec-websocket-") && /[^\t\x20-\x7e]/.test(value)) {
      throw fail(`${name} has characters other than ASCII`);
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

function show(text: unknown): string {
  return typeof text === "string" ? JSON.stringify(text.slice(0, 80)) : `of type ${typeof text}`;
}
