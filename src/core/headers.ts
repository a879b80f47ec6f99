/**
 * Header fields, and the lists in them (RFC 9110 section 5). Everything here takes time linear in its
 * input.
 *
 * @module
 */

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

/** A name as a {@linkcode HeaderList} looks for it. */
interface SoughtName {
  /** What a field of this name begins with: no value holds a line end, so it stands nowhere else. */
  readonly start: string;
  /** See {@linkcode nameBit}. */
  readonly bit: number;
}

/** Those that every handshake looks for. */
const KNOWN_NAMES: ReadonlyMap<string, SoughtName> = new Map(
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
  ].map((name) => [name, createSoughtName(name)]),
);

/**
 * The one of 32 bits that stands for a name, by its first character, in lower case, and its length: each
 * of those above has one of its own.
 */
export function nameBit(first: number, length: number): number {
  return 1 << (first + length);
}

function createSoughtName(name: string): SoughtName {
  return { start: `\n${name}:`, bit: nameBit(name.charCodeAt(0), name.length) };
}

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

  /** The bits of all names: most of what a handshake looks for is not there, which these tell at once. */
  #names = 0;
  /** The bits that more than one field has: only then is there a second one to look for. */
  #repeated = 0;

  /**
   * Fields that have been checked, each as LF, name in lower case, colon and value; and the bits of their
   * names ({@linkcode nameBit}), and of those the ones that more than one field has.
   */
  static fromText(text: string, names: number, repeated: number): HeaderList {
    const headers = new HeaderList();
    headers.#text = text;
    headers.#names = names;
    headers.#repeated = repeated;
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
    const { start, bit } = soughtName(name);
    this.#text += start + value;
    this.#repeated |= this.#names & bit;
    this.#names |= bit;
  }

  /** All values of a field joined by `", "`; `null` if there is none (RFC 9110 section 5.3). */
  get(name: string): string | null {
    const sought = soughtName(name);
    let at = this.#indexOf(sought, -1);
    if (at < 0) return null;
    let value = this.#valueAt(at + sought.start.length);
    while ((at = this.#indexOf(sought, at)) >= 0) {
      value += `, ${this.#valueAt(at + sought.start.length)}`;
    }
    return value;
  }

  /** The values of a field, one by one. */
  getAll(name: string): string[] {
    const sought = soughtName(name);
    const values: string[] = [];
    let at = -1;
    while ((at = this.#indexOf(sought, at)) >= 0) {
      values.push(this.#valueAt(at + sought.start.length));
    }
    return values;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return this.#indexOf(soughtName(name), -1) >= 0;
  }

  /** Iterates over names and values. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (const field of this.#text.split("\n").slice(1)) {
      const colon = field.indexOf(":", 1); // names of HTTP/2's pseudo-fields begin with one
      yield [field.slice(0, colon), field.slice(colon + 1)];
    }
  }

  /** Where the next field of this name begins, behind the one at `last`, or the first behind -1. */
  #indexOf({ start, bit }: SoughtName, last: number): number {
    const bits = last < 0 ? this.#names : this.#repeated;
    return (bits & bit) === 0 ? -1 : this.#text.indexOf(start, last + 1);
  }

  #valueAt(start: number): string {
    const end = this.#text.indexOf("\n", start);
    return end < 0 ? this.#text.slice(start) : this.#text.slice(start, end);
  }
}

function soughtName(name: string): SoughtName {
  return KNOWN_NAMES.get(name) ?? createSoughtName(name.toLowerCase());
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
