/**
 * The list in a `Sec-WebSocket-Extensions` field (RFC 6455 section 9.1), read in time linear in its
 * length.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import { isSpace, isToken } from "./headers.ts";

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
  if (value === null) return [];
  try {
    return parseExtensions(value);
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
