/**
 * Header fields and the lists in them (RFC 9110 section 5, RFC 6455 section 9.1). Every parser here
 * takes time linear in its input.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import { show } from "./show.ts";

/** Header fields as users give them. */
export type HeadersInput =
  | Headers
  | Readonly<Record<string, string>>
  | Iterable<readonly [name: string, value: string]>;

/** Names that most handshakes have: each session would otherwise keep copies of its own. */
const COMMON_NAMES: ReadonlyMap<string, string> = new Map(
  [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "cookie",
    "host",
    "origin",
    "pragma",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
  ].map((name) => [name, name]),
);

/** Header fields in the order received; names in lower case, repeated ones kept apart. */
export class HeaderList implements Iterable<[name: string, value: string]> {
  /** Names and values in turns: an array for each field would be most of what an idle session holds. */
  readonly #fields: string[] = [];

  /** How many fields there are, repeated ones counted. */
  get size(): number {
    return this.#fields.length / 2;
  }

  /** Adds a field behind the others. */
  append(name: string, value: string): void {
    const key = name.toLowerCase();
    this.#fields.push(COMMON_NAMES.get(key) ?? key, value);
  }

  /** All values of a field joined by `", "`; `null` if there is none (RFC 9110 section 5.3). */
  get(name: string): string | null {
    const key = name.toLowerCase();
    const fields = this.#fields;
    let value: string | null = null;
    for (let i = 0; i < fields.length; i += 2) {
      if (fields[i] === key) value = value === null ? fields[i + 1] : `${value}, ${fields[i + 1]}`;
    }
    return value;
  }

  /** The values of a field, one by one. */
  getAll(name: string): string[] {
    const key = name.toLowerCase();
    const fields = this.#fields;
    const values: string[] = [];
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === key) values.push(fields[i + 1]);
    return values;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    const key = name.toLowerCase();
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === key) return true;
    return false;
  }

  /** Iterates over names and values. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 2) yield [fields[i], fields[i + 1]];
  }
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

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** One extension of a `Sec-WebSocket-Extensions` list, with its parameters in order. */
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

/** Writes a `Sec-WebSocket-Extensions` list. */
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
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && trimSpace(value) === value;
}
