/**
 * Reads the heads of HTTP/1.1 requests and responses (RFC 9112): strict, bounded, and in any pieces with
 * the same outcome.
 *
 * @module
 */

import { asciiScratch, decodeAscii } from "./ascii.ts";
import type { HandshakeError } from "./errors.ts";
import { HeaderList, isSpace, isTokenByte, nameBit } from "./headers.ts";
import type { RequestHead, ResponseHead } from "./http.ts";
import { show } from "./show.ts";
import { type HeadKind, PROXY_RESPONSE, REQUEST, RESPONSE } from "./start_line.ts";
import { decodeUtf8 } from "./utf8.ts";

/**
 * What bounds a head.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { type HeadLimits, HeadReader } from "@twoway/websocket/core";
 *
 * const limits: HeadLimits = { maxHeaderSize: 1000, maxHeaderLine: 20, maxHeaders: 10 };
 * const reader = HeadReader.forRequests(limits);
 * const bytes = new TextEncoder().encode("GET /too/long/for/this HTTP/1.1\r\n");
 * assertThrows(() => reader.receive(bytes), Error, "limits.maxHeaderLine");
 * ```
 */
export interface HeadLimits {
  /** Bytes in all, line ends included. */
  readonly maxHeaderSize: number;
  /** Bytes of one line, its end not counted. */
  readonly maxHeaderLine: number;
  /** Header fields. */
  readonly maxHeaders: number;
}

const NOTHING = new Uint8Array(0);

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const COLON = 0x3a;

/** What a line may hold: all but control characters, which are 0 here. */
const VALUE_BYTES = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte !== TAB && (byte < 0x20 || byte === 0x7f) ? 0 : byte,
);

/** What a method may hold; 0 for what it may not. */
const METHOD_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => isTokenByte(byte) ? byte : 0);

/** The same for a header name, in lower case. */
const NAME_BYTES = METHOD_BYTES.map((byte) => byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

/**
 * Reads one head from bytes that are cut anywhere.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { HeadReader } from "@twoway/websocket/core";
 *
 * const limits = { maxHeaderSize: 16_384, maxHeaderLine: 8192, maxHeaders: 100 };
 * const reader = HeadReader.forRequests(limits);
 * const encoder = new TextEncoder();
 * assertEquals(reader.receive(encoder.encode("GET /chat HTTP/1.1\r\nHost: loc")), null);
 * const head = reader.receive(encoder.encode("alhost\r\n\r\nand more"));
 * assertEquals([head?.target, head?.headers.get("host")], ["/chat", "localhost"]);
 * assertEquals(new TextDecoder().decode(reader.rest), "and more");
 * ```
 */
export class HeadReader<Head> {
  /** Bytes behind the head, once it is complete: a copy. */
  rest: Uint8Array = NOTHING;

  readonly #limits: HeadLimits;
  readonly #kind: HeadKind<Head>;
  /** Makes the head from its fields; known once the first line has been read. */
  #finish: ((headers: HeaderList) => Head) | null = null;
  /** The bytes of the first line, then those of all fields as a {@linkcode HeaderList} wants them. */
  #bytes = asciiScratch;
  #filled = 0;
  /** Where the current line would begin if all of it had been kept. */
  #lineStart = 0;
  /** Where the current field's name begins, and its value; the latter -1 before. */
  #nameStart = 0;
  #valueStart = -1;
  #fieldCount = 0;
  /** What {@linkcode HeaderList.fromText} wants to know of the names. */
  #names = 0;
  #repeated = 0;
  /** What ends the token that the current line begins with; `null` once it is there. */
  #delimiter: number | null;
  #size = 0;
  #sawCr = false;
  #skippedLine = false;
  /** There is a head, or there never will be. */
  #isDone = false;

  private constructor(limits: HeadLimits, kind: HeadKind<Head>) {
    this.#limits = limits;
    this.#kind = kind;
    this.#delimiter = kind.delimiter;
  }

  /** A reader that throws a {@linkcode HandshakeError} with status 400, 414, 431 or 505. */
  static forRequests(limits: HeadLimits): HeadReader<RequestHead> {
    return new HeadReader(limits, REQUEST);
  }

  /** A reader that throws a {@linkcode HandshakeError} without a status: there is no response. */
  static forResponses(limits: HeadLimits): HeadReader<ResponseHead> {
    return new HeadReader(limits, RESPONSE);
  }

  /** The same for what a proxy answers to CONNECT: many say that they speak HTTP/1.0. */
  static forProxyResponses(limits: HeadLimits): HeadReader<ResponseHead> {
    return new HeadReader(limits, PROXY_RESPONSE);
  }

  /**
   * Adds bytes; returns the head once it is complete, and `null` before. Behind that, and once it has
   * thrown, it throws a `TypeError`.
   */
  receive(bytes: Uint8Array): Head | null {
    if (this.#isDone) throw new TypeError("Cannot receive: the head is complete, or was refused");
    this.#isDone = true; // also if this throws: the bytes so far are not ours any more
    for (let at = 0; at < bytes.length;) {
      const next = this.#takeLine(bytes, at);
      if (next > at) {
        at = next;
        continue;
      }
      const head = this.#take(bytes[at++]);
      if (head === null) continue;
      if (at < bytes.length) this.rest = new Uint8Array(bytes.subarray(at));
      return head;
    }
    if (this.#bytes === asciiScratch) this.#grow(this.#filled + 64); // it is not ours for long
    this.#isDone = false;
    return null;
  }

  /**
   * Takes the line that begins at `bytes[at]`, if the whole of it is there and keeps the rules; returns
   * where the next one begins, and `at` for what is to be taken byte by byte.
   */
  #takeLine(bytes: Uint8Array, at: number): number {
    if (this.#filled !== this.#lineStart || this.#sawCr) return at; // it has begun
    const { maxHeaderSize, maxHeaderLine } = this.#limits;
    const isField = this.#finish !== null;
    const own = this.#bytes;
    let filled = this.#filled;
    const room = Math.min(own.length - filled - 1, maxHeaderLine, maxHeaderSize - this.#size - 2);
    const end = Math.min(bytes.length, at + room);
    if (end <= at) return at;
    let i = at;
    if (isField) own[filled++] = LF;
    if (this.#delimiter !== null) {
      const token = isField ? NAME_BYTES : METHOD_BYTES;
      for (; i < end && token[bytes[i]] !== 0; i++) own[filled++] = token[bytes[i]];
      if (i === at || i >= end || bytes[i] !== this.#delimiter) return at;
      own[filled++] = bytes[i++];
    }
    const valueStart = filled;
    if (isField) { while (i < end && isSpace(bytes[i])) i++; }
    for (; i < end && VALUE_BYTES[bytes[i]] !== 0; i++) own[filled++] = bytes[i];
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return at;
    this.#filled = filled;
    this.#size += i + 2 - at;
    this.#delimiter = null;
    if (isField) {
      this.#nameStart = this.#lineStart + 1;
      this.#valueStart = valueStart;
    }
    this.#endLine();
    return i + 2;
  }

  #take(byte: number): Head | null {
    const { maxHeaderSize } = this.#limits;
    if (++this.#size > maxHeaderSize) {
      throw this.#tooMuch(`the head is longer than ${maxHeaderSize} bytes (limits.maxHeaderSize)`);
    }
    if (byte === LF) {
      if (!this.#sawCr) throw this.#kind.fail("a line ends with LF alone");
      this.#sawCr = false;
      return this.#endLine();
    }
    if (this.#sawCr) throw this.#kind.fail("CR stands inside a line");
    if (byte === CR) this.#sawCr = true;
    else this.#append(byte);
    return null;
  }

  #append(byte: number): void {
    if (VALUE_BYTES[byte] === 0) {
      throw this.#kind.fail(`control character 0x${byte.toString(16).padStart(2, "0")}`);
    }
    const { maxHeaderLine } = this.#limits;
    const size = this.#filled - this.#lineStart;
    if (size === maxHeaderLine) {
      const what = this.#finish === null ? "the first line" : "a header line";
      throw this.#tooMuch(`${what} is longer than ${maxHeaderLine} bytes (limits.maxHeaderLine)`);
    }
    if (this.#delimiter !== null) return this.#appendToken(byte, size);
    if (this.#filled !== this.#valueStart || !isSpace(byte)) this.#push(byte);
    else this.#lineStart--; // the space before a value counts, but is not kept
  }

  #push(byte: number): void {
    if (this.#filled === this.#bytes.length) this.#grow(this.#filled * 2);
    this.#bytes[this.#filled++] = byte;
  }

  #grow(size: number): void {
    const own = new Uint8Array(size);
    for (let i = 0; i < this.#filled; i++) own[i] = this.#bytes[i];
    this.#bytes = own;
  }

  /**
   * Fails at the first byte that belongs to no token: what speaks another protocol need not finish
   * its line. Also catches folded lines and a space before the colon, which hide fields from some
   * readers. The line may hold a secret: no more of it than this byte goes into the message.
   */
  #appendToken(byte: number, size: number): void {
    const isField = this.#finish !== null;
    if (byte === this.#delimiter && size > 0) {
      this.#delimiter = null;
      this.#push(byte);
      if (isField) this.#valueStart = this.#filled;
      return;
    }
    if (!isTokenByte(byte)) {
      const where = isField ? "a header name" : "the method";
      throw this.#kind.fail(`character ${show(String.fromCharCode(byte))} stands in ${where}`);
    }
    if (!isField) return this.#push(byte);
    if (size === 0) {
      this.#push(LF);
      this.#lineStart++;
      this.#nameStart = this.#filled;
    }
    this.#push(NAME_BYTES[byte]);
  }

  #endLine(): Head | null {
    const isEmpty = this.#filled === this.#lineStart;
    if (this.#finish === null) {
      // "a server ... SHOULD ignore at least one empty line (CRLF) received prior to the
      // request-line" (RFC 9112 section 2.2): we ignore one.
      if (isEmpty && !this.#skippedLine) {
        this.#skippedLine = true;
        return null;
      }
      this.#finish = this.#kind.parse(latin1(this.#bytes, this.#filled));
      this.#filled = 0;
    } else if (isEmpty) {
      const text = latin1(this.#bytes, this.#filled);
      return this.#finish(HeaderList.fromText(text, this.#names, this.#repeated));
    } else {
      this.#endField();
    }
    this.#lineStart = this.#filled;
    this.#valueStart = -1;
    this.#delimiter = COLON;
    return null;
  }

  #endField(): void {
    const { maxHeaders } = this.#limits;
    if (this.#fieldCount++ >= maxHeaders) {
      throw this.#tooMuch(`the head has more than ${maxHeaders} fields (limits.maxHeaders)`);
    }
    if (this.#delimiter !== null) throw this.#kind.fail("a header line has no colon");
    while (this.#filled > this.#valueStart && isSpace(this.#bytes[this.#filled - 1])) {
      this.#filled--;
    }
    const bit = nameBit(this.#bytes[this.#nameStart], this.#valueStart - 1 - this.#nameStart);
    this.#repeated |= this.#names & bit;
    this.#names |= bit;
  }

  #tooMuch(why: string): HandshakeError {
    return this.#kind.fail(why, this.#finish === null ? 414 : 431);
  }
}

function latin1(bytes: Uint8Array, length: number): string {
  if (isAscii(bytes, length)) {
    return bytes === asciiScratch ? decodeAscii(length) : decodeUtf8(bytes.subarray(0, length));
  }
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

function isAscii(bytes: Uint8Array, length: number): boolean {
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= bytes[i];
  return bits < 0x80;
}
