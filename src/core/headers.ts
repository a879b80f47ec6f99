/**
 * Header fields and the lists in them (RFC 9110 section 5, RFC 6455 section 9.1). Every parser here
 * takes time linear in its input.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import { show } from "./show.ts";

/**
 * Header fields as users give them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createKey, createRequest, type HeadersInput } from "@twoway/websocket/core";
 *
 * const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
 * const forms: HeadersInput[] = [
 *   { "X-Team": "blue" },
 *   [["X-Team", "blue"]],
 *   new Headers({ "X-Team": "blue" }),
 * ];
 * for (const headers of forms) {
 *   const request = createRequest({ host: "localhost", target: "/", key, headers });
 *   assertEquals(request.headers.get("x-team"), "blue");
 * }
 * ```
 */
export type HeadersInput =
  | Headers
  | Readonly<Record<string, string>>
  | Iterable<readonly [name: string, value: string]>;

/** What a field begins with in a {@linkcode HeaderList}, for names that every handshake looks for. */
const KNOWN_STARTS: ReadonlyMap<string, string> = new Map(
  [
    "connection",
    "content-length",
    "host",
    "origin",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
  ].map((name) => [name, `\n${name}:`]),
);

/**
 * Header fields in the order received; names in lower case, repeated ones kept apart.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { HeaderList } from "@twoway/websocket/core";
 *
 * const headers = new HeaderList();
 * headers.append("Accept", "text/html");
 * headers.append("accept", "text/plain");
 * assertEquals(headers.get("ACCEPT"), "text/html, text/plain");
 * assertEquals(headers.getAll("accept"), ["text/html", "text/plain"]);
 * assertEquals(headers.get("cookie"), null);
 * ```
 */
export class HeaderList implements Iterable<[name: string, value: string]> {
  /**
   * One text for all fields, each as LF, name, colon and value: strings of its own for each would be
   * a quarter of what an idle session holds.
   */
  #text = "";

  /** Fields that have been checked, each as LF, name in lower case, colon and value. */
  static fromText(text: string): HeaderList {
    const headers = new HeaderList();
    headers.#text = text;
    return headers;
  }

  /** How many fields there are, repeated ones counted. */
  get size(): number {
    return [...this].length;
  }

  /** Adds a field behind the others. Throws a `TypeError` for what would not be one field. */
  append(name: string, value: string): void {
    if (!/^:?[^:\n]+$/.test(name) || value.includes("\n")) {
      throw new TypeError(
        `Header ${show(name)} is empty, or has a colon or a line end in its name or value`,
      );
    }
    this.#text += `\n${name.toLowerCase()}:${value}`;
  }

  /** All values of a field joined by `", "`; `null` if there is none (RFC 9110 section 5.3). */
  get(name: string): string | null {
    const start = fieldStart(name);
    let at = this.#text.indexOf(start);
    if (at < 0) return null;
    let value = this.#valueAt(at + start.length);
    while ((at = this.#text.indexOf(start, at + 1)) >= 0) {
      value += `, ${this.#valueAt(at + start.length)}`;
    }
    return value;
  }

  /** The values of a field, one by one. */
  getAll(name: string): string[] {
    const start = fieldStart(name);
    const values: string[] = [];
    let at = -1;
    while ((at = this.#text.indexOf(start, at + 1)) >= 0) {
      values.push(this.#valueAt(at + start.length));
    }
    return values;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return this.#text.includes(fieldStart(name));
  }

  /** Iterates over names and values. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (const field of this.#text.split("\n").slice(1)) {
      const colon = field.indexOf(":", 1); // names of HTTP/2's pseudo-fields begin with one
      yield [field.slice(0, colon), field.slice(colon + 1)];
    }
  }

  #valueAt(start: number): string {
    const end = this.#text.indexOf("\n", start);
    return end < 0 ? this.#text.slice(start) : this.#text.slice(start, end);
  }
}

/** What a field begins with: no value holds a line end, so it stands nowhere else. */
function fieldStart(name: string): string {
  return KNOWN_STARTS.get(name) ?? `\n${name.toLowerCase()}:`;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Whether `text` is a token (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

const TOKEN_BYTES: readonly boolean[] = Array.from(
  { length: 256 },
  (_, byte) => isToken(String.fromCharCode(byte)),
);

/** Whether a character, as a byte, may stand in a token. */
export function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte];
}

/** The elements of a comma-separated list; empty ones count for nothing (RFC 9110 section 5.6.1). */
export function listElements(value: string): string[] {
  return value.split(",").map(trimSpace).filter((element) => element !== "");
}

/** Whether a field's list has `token` among its elements, in any case. */
export function listHas(headers: HeaderList, name: string, token: string): boolean {
  const value = headers.get(name)?.toLowerCase();
  if (value === undefined || value === token) return value === token;
  return listElements(value).includes(token);
}

/** `text` without spaces and tabs around it. A regular expression would take quadratic time. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Whether a character, as a byte, is the optional space around a value (RFC 9110 section 5.6.3). */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * One extension of a `Sec-WebSocket-Extensions` list, with its parameters in order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ExtensionOffer, formatExtensions } from "@twoway/websocket/core";
 *
 * const offer: ExtensionOffer = {
 *   name: "permessage-deflate",
 *   params: [["client_max_window_bits", null], ["server_max_window_bits", "10"]],
 * };
 * assertEquals(
 *   formatExtensions([offer]),
 *   "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
 * );
 * ```
 */
export interface ExtensionOffer {
  /** The registered name, such as `"permessage-deflate"`. */
  readonly name: string;
  /** Names and values; `null` for a parameter without one. */
  readonly params: readonly (readonly [name: string, value: string | null])[];
}

/**
 * Reads a `Sec-WebSocket-Extensions` list (RFC 6455 section 9.1). Throws a
 * {@linkcode HandshakeError} with status 400 if its syntax is wrong.
 */
export function parseExtensions(value: string): ExtensionOffer[] {
  const scanner = new Scanner(value);
  const offers: ExtensionOffer[] = [];
  while (!scanner.isAtEnd) {
    if (scanner.skip(",")) continue;
    offers.push(parseExtension(scanner));
    if (!scanner.isAtEnd && !scanner.skip(",")) throw scanner.error();
  }
  return offers;
}

function parseExtension(scanner: Scanner): ExtensionOffer {
  const name = scanner.token();
  const params: [string, string | null][] = [];
  while (scanner.skip(";")) {
    const param = scanner.token();
    params.push([param, scanner.skip("=") ? scanner.value() : null]);
  }
  return { name, params };
}

/** Walks through a field's value; spaces around what it takes are skipped. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Takes `char` if it comes next. */
  skip(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    this.#skipSpace();
    return true;
  }

  token(): string {
    const start = this.#at;
    while (!this.isAtEnd && isToken(this.#text[this.#at])) this.#at++;
    if (this.#at === start) throw this.error();
    const token = this.#text.slice(start, this.#at);
    this.#skipSpace();
    return token;
  }

  // "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
  // conform to the 'token' ABNF." (9.1)
  value(): string {
    if (this.#text[this.#at] !== '"') return this.token();
    this.#at++;
    const chars: string[] = [];
    while (!this.isAtEnd && this.#text[this.#at] !== '"') {
      if (this.#text[this.#at] === "\\" && ++this.#at === this.#text.length) throw this.error();
      chars.push(this.#text[this.#at++]);
    }
    const value = chars.join("");
    if (!this.skip('"') || !isToken(value)) throw this.error();
    return value;
  }

  error(): HandshakeError {
    return new HandshakeError(
      `Sec-WebSocket-Extensions breaks the syntax at character ${this.#at + 1}`,
      { status: 400 },
    );
  }

  #skipSpace(): void {
    while (!this.isAtEnd && isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }
}

/**
 * Writes a `Sec-WebSocket-Extensions` list.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatExtensions, offerDeflate } from "@twoway/websocket/core";
 *
 * const offer = offerDeflate({ contextTakeover: true, windowBits: 15 });
 * assertEquals(formatExtensions([offer]), "permessage-deflate; client_max_window_bits");
 * ```
 */
export function formatExtensions(extensions: readonly ExtensionOffer[]): string {
  return extensions.map(({ name, params }) =>
    [name, ...params.map(([param, value]) => value === null ? param : `${param}=${value}`)]
      .join("; ")
  ).join(", ");
}

/** Reads a list of extensions; `fail` makes the error for one that breaks the syntax. */
export function readExtensions(
  value: string | null,
  fail: (why: string) => Error,
): ExtensionOffer[] {
  try {
    return parseExtensions(value ?? "");
  } catch (error) {
    throw fail((error as HandshakeError).message);
  }
}

/** The first of the names `used` that is not among the `offered` ones. */
export function findUnasked(
  used: readonly ExtensionOffer[],
  offered: readonly ExtensionOffer[],
): string | undefined {
  return used.find((use) => !offered.some(({ name }) => name === use.name))?.name;
}

/** Fields that belong to the handshake itself, or to the framing of its messages. */
const RESERVED = /^(?:host|connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;

/**
 * The fields that a user adds to a handshake. Throws a `TypeError` for a name that is no token or is
 * the handshake's own, and for a value that can't stand in a header.
 */
export function checkUserHeaders(input: HeadersInput | undefined): [name: string, value: string][] {
  if (input === undefined) return [];
  const entries = Symbol.iterator in input
    ? input as Iterable<readonly [string, string]>
    : Object.entries(input);
  return Array.from(entries, ([name, value]) => {
    checkField(name, value);
    if (RESERVED.test(name)) {
      throw new TypeError(`Cannot add header ${show(name)}: the handshake sets it itself`);
    }
    return [name, value];
  });
}

/** Throws a `TypeError` unless a field may be written (RFC 9110 sections 5.1 and 5.5). */
export function checkField(name: string, value: string): void {
  if (typeof name !== "string" || !isToken(name)) {
    throw new TypeError(`Header name ${show(name)} is not a token`);
  }
  // The value may be a secret: it does not go into the message.
  if (typeof value !== "string" || !isFieldValue(value)) {
    throw new TypeError(
      `Header ${name} has a value that is not a string of printable Latin-1 characters ` +
        "without space around it",
    );
  }
}

function isFieldValue(value: string): boolean {
  // A character beyond the ends is NaN, and no space.
  const hasSpace = isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1));
  return !hasSpace && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
