/**
 * What the opening handshakes over HTTP/1.1 and HTTP/2 have in common: version, origin, subprotocols
 * and extensions (RFC 6455 sections 4 and 11.3, RFC 8441 section 5).
 *
 * @module
 */

import { type ExtensionOffer, findUnasked, readExtensions } from "./extensions.ts";
import {
  checkField,
  checkUserHeaders,
  type HeaderList,
  type HeadersInput,
  isToken,
  listElements,
} from "./headers.ts";
import { type Fail, isHost } from "./host.ts";
import type { ResponseHead } from "./http.ts";
import { show } from "./show.ts";

/** The version of the protocol (RFC 6455). */
export const VERSION = "13";

/** The most subprotocols that are considered; whoever offers more does not mean it. */
const MAX_OFFERS = 100;

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
  /** The Host field; over HTTP/2 `:authority`. */
  readonly host: string;
  /** The Origin field; `null` if there is none, as from programs that are no browsers. */
  readonly origin: string | null;
  /** The subprotocols offered, in order of preference. */
  readonly protocols: readonly string[];
  /** The extensions offered, in order of preference. */
  readonly extensions: readonly ExtensionOffer[];
}

/** Reads what a request asks for; `fail` makes the error for a rule that broke. */
export function readOffers(headers: HeaderList, host: string, fail: Fail): CheckedOpening {
  return {
    host,
    origin: readOrigin(headers, fail),
    protocols: readProtocols(headers, fail),
    extensions: readExtensions(headers.get("sec-websocket-extensions"), fail),
  };
}

function readOrigin(headers: HeaderList, fail: Fail): string | null {
  const origins = headers.getAll("origin");
  if (origins.length > 1) throw fail("it has more than one Origin field");
  return origins[0] ?? null;
}

function readProtocols(headers: HeaderList, fail: Fail): string[] {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return [];
  const protocols = listElements(value);
  // The values are not shown: some clients carry tokens in them.
  if (protocols.length === 0 || !protocols.every(isToken)) {
    throw fail("Sec-WebSocket-Protocol is not a list of tokens");
  }
  if (new Set(protocols).size < protocols.length) {
    throw fail("Sec-WebSocket-Protocol lists the same subprotocol twice");
  }
  if (protocols.length > MAX_OFFERS) {
    throw fail(
      `Sec-WebSocket-Protocol lists ${protocols.length} subprotocols, more than ${MAX_OFFERS}`,
    );
  }
  return protocols;
}

/** What is wrong with the version that a request names; `null` if it is ours. */
export function findVersionFault(headers: HeaderList): string | null {
  const version = headers.get("sec-websocket-version");
  if (version === VERSION) return null;
  const found = version === null ? "missing" : show(version);
  return `Sec-WebSocket-Version is ${found}, not "${VERSION}"`;
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
 * The fields by which a server says what it has chosen. Throws a `TypeError` for what was not
 * offered, and for header fields that can't be written or are the handshake's own.
 */
export function choiceFields(
  offers: CheckedOpening,
  { protocol, extensions = "", headers }: ResponseOptions,
): [name: string, value: string][] {
  const fields: [string, string][] = [];
  if (protocol !== undefined) {
    if (!offers.protocols.includes(protocol)) {
      // It is not shown: clients offer tokens, and it may be a part of one.
      throw new TypeError("Cannot choose a subprotocol that was not offered");
    }
    fields.push(["Sec-WebSocket-Protocol", protocol]);
  }
  if (extensions !== "") {
    const unasked = findUnasked(readExtensions(extensions, misuse), offers.extensions);
    if (unasked !== undefined) {
      throw new TypeError(`Cannot use extension ${show(unasked)}: it was not offered`);
    }
    fields.push(["Sec-WebSocket-Extensions", extensions]);
  }
  if (headers !== undefined) fields.push(...checkUserHeaders(headers));
  return fields;
}

/**
 * What a client asks for, in any version of HTTP.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createConnect, createKey, createRequest, type OfferOptions } from "@twoway/websocket/core";
 *
 * const offer: OfferOptions = { host: "app.example", target: "/", protocols: ["chat.v1"] };
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const byHttp1 = createRequest({ ...offer, key });
 * assertEquals(byHttp1.headers.get("sec-websocket-protocol"), "chat.v1");
 * const byHttp2 = createConnect({ ...offer, isSecure: true });
 * assertEquals(byHttp2.at(-1), ["sec-websocket-protocol", "chat.v1"]);
 * ```
 */
export interface OfferOptions {
  /** Host and port, as in the Host field. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  /** The subprotocols to offer, in order of preference. @default {none} */
  readonly protocols?: readonly string[];
  /** The value of `Sec-WebSocket-Extensions`; empty for none. */
  readonly extensions?: string;
  /** The Origin field. @default {none} */
  readonly origin?: string;
  /** Further header fields. */
  readonly headers?: HeadersInput;
}

/** Throws a `TypeError` unless a request can be sent there. */
export function checkDestination({ host, target }: OfferOptions): void {
  if (!isHost(host)) throw new TypeError(`Host ${show(host)} is not a host with an optional port`);
  // The query may hold secrets: it does not go into the message.
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(target)) {
    throw new TypeError("The target is not a path of printable ASCII characters without fragment");
  }
}

/**
 * The fields by which a client says what it wants. Throws a `TypeError` for subprotocols that are not
 * tokens or not unique, for an Origin given twice, and for whatever can't stand in a request.
 */
export function offerFields(options: OfferOptions): [name: string, value: string][] {
  const { protocols = [], extensions = "", origin } = options;
  checkProtocols(protocols);
  readExtensions(extensions, misuse);
  const fields: [string, string][] = [["Sec-WebSocket-Version", VERSION]];
  if (protocols.length > 0) fields.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  if (extensions !== "") fields.push(["Sec-WebSocket-Extensions", extensions]);
  if (origin !== undefined) fields.push(["Origin", origin]);
  for (const [name, value] of fields) checkField(name, value);
  fields.push(...checkUserHeaders(options.headers));
  if (fields.filter(([name]) => name.toLowerCase() === "origin").length > 1) {
    throw new TypeError("Origin is given more than once");
  }
  return fields;
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

/** Reads what the server has chosen of what was offered; `fail` makes the error. */
export function readAgreement(
  { headers }: Pick<ResponseHead, "headers">,
  request: Pick<OfferOptions, "protocols" | "extensions">,
  fail: Fail,
): Agreement {
  const protocol = readChoice(headers, request.protocols ?? [], fail);
  const extensions = readExtensions(headers.get("sec-websocket-extensions"), fail);
  const offered = readExtensions(request.extensions ?? null, misuse);
  const unasked = findUnasked(extensions, offered);
  if (unasked !== undefined) throw fail(`the server uses extension ${show(unasked)} unasked`);
  if (new Set(extensions.map(({ name }) => name)).size < extensions.length) {
    throw fail("the server uses an extension twice");
  }
  return { protocol, extensions };
}

function readChoice(headers: HeaderList, offered: readonly string[], fail: Fail): string {
  const chosen = headers.getAll("sec-websocket-protocol");
  if (chosen.length === 0) return "";
  if (chosen.length > 1) throw fail("the server chose more than one subprotocol");
  if (!offered.includes(chosen[0])) {
    throw fail("the server chose a subprotocol that was not offered");
  }
  return chosen[0];
}

/** Throws for handshake fields that no list of tokens can have been in. */
export function checkHandshakeFields(headers: HeaderList, fail: Fail): void {
  for (const [name, value] of headers) {
    if (name.startsWith("sec-websocket-") && /[^\t\x20-\x7e]/.test(value)) {
      throw fail(`header ${show(name)} has characters other than ASCII`);
    }
  }
}

function misuse(why: string): TypeError {
  return new TypeError(why);
}
