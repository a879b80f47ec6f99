/**
 * The body of a plain HTTP message (RFC 9112 sections 6 and 7): by length, chunked, or up to the
 * end of the stream.
 *
 * @module
 */

import { HandshakeError } from "./errors.ts";
import type { RequestHead } from "./http.ts";
import { show } from "./show.ts";
import { requestError } from "./start_line.ts";

/** How the end of a body is found (RFC 9112 section 6.3). */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "end" };

/**
 * How the end of a request's body is found (RFC 9112 section 6). Throws a {@linkcode HandshakeError}
 * with status 400 where two readers could disagree about it.
 */
export function requestBodyFraming({ headers }: RequestHead): BodyFraming {
  const lengths = headers.getAll("content-length");
  const codings = headers.getAll("transfer-encoding");
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0].toLowerCase() === "chunked";
    if (lengths.length > 0 || !isChunked) {
      throw requestError("Transfer-Encoding is not chunked alone, or stands beside Content-Length");
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "none" };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0])) {
    throw requestError(`Content-Length is ${show(lengths.join(", "))}`);
  }
  return { kind: "length", length: Number(lengths[0]) };
}

/** What happens to a body that is longer than its limit. */
export type Overlong = "refuse" | "truncate";

/** The longest line of a chunk's size or of the trailer section, in bytes. */
const MAX_LINE = 1024;

/** The longest trailer section, in bytes. */
const MAX_TRAILERS = 8192;

const LF = 0x0a;

/** Collects a body from bytes that are cut anywhere. */
export class BodyReader {
  readonly #maxSize: number;
  readonly #overlong: Overlong;
  readonly #isChunked: boolean;
  /** One buffer that grows: a body in single bytes must not cost an object each. */
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #size = 0;
  /** Bytes of the body, or of the current chunk with its CRLF, still to come. */
  #missing: number;
  /** The line being read, without its LF; used while chunked. */
  #line = "";
  #trailersSize = 0;
  #phase: "size" | "data" | "data-end" | "trailers" | "complete";

  /** Throws a {@linkcode HandshakeError} with status 413 if the announced length is too much. */
  constructor(framing: BodyFraming, maxSize: number, overlong: Overlong = "refuse") {
    this.#maxSize = maxSize;
    this.#overlong = overlong;
    this.#isChunked = framing.kind === "chunked";
    this.#missing = framing.kind === "length"
      ? framing.length
      : framing.kind === "end"
      ? Infinity
      : 0;
    if (framing.kind === "length" && framing.length > maxSize && overlong === "refuse") {
      throw tooLarge(maxSize);
    }
    this.#phase = this.#isChunked ? "size" : this.#missing > 0 ? "data" : "complete";
  }

  /** Whether all of the body has arrived, or as much as is wanted. */
  get isComplete(): boolean {
    return this.#phase === "complete";
  }

  /** The body so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#size);
  }

  /**
   * Takes a copy of what belongs to the body. Throws a {@linkcode HandshakeError} with status 400
   * for broken chunks, 413 for a body over its limit.
   */
  receive(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.#phase !== "complete") {
      at = this.#phase === "data" ? this.#readData(bytes, at) : this.#readLine(bytes, at);
    }
  }

  #readData(bytes: Uint8Array, start: number): number {
    const end = Math.min(bytes.length, start + this.#missing);
    this.#missing -= end - start;
    this.#keep(bytes.subarray(start, end));
    if (this.#missing === 0 && this.#phase === "data") {
      this.#phase = this.#isChunked ? "data-end" : "complete";
    }
    return end;
  }

  #keep(bytes: Uint8Array): void {
    const room = this.#maxSize - this.#size;
    if (bytes.length > room) {
      if (this.#overlong === "refuse") throw tooLarge(this.#maxSize);
      this.#phase = "complete";
    }
    const part = bytes.subarray(0, room);
    const size = this.#size + part.length;
    if (size > this.#buffer.length) this.#grow(size);
    this.#buffer.set(part, this.#size);
    this.#size = size;
  }

  #grow(needed: number): void {
    const buffer = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    buffer.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = buffer;
  }

  #readLine(bytes: Uint8Array, start: number): number {
    const lf = bytes.indexOf(LF, start);
    const end = lf < 0 ? bytes.length : lf;
    if (this.#line.length + end - start > MAX_LINE) throw broken("a line is too long");
    this.#line += String.fromCharCode(...bytes.subarray(start, end));
    if (lf < 0) return end;
    if (!this.#line.endsWith("\r")) throw broken("a line does not end with CRLF");
    const line = this.#line.slice(0, -1);
    this.#line = "";
    this.#takeLine(line);
    return lf + 1;
  }

  #takeLine(line: string): void {
    if (this.#phase === "data-end") {
      if (line !== "") throw broken("a chunk is longer than it says");
      this.#phase = "size";
    } else if (this.#phase === "size") {
      const match = /^([\da-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i.exec(line);
      if (match === null) throw broken("a chunk's size is not a hexadecimal number");
      this.#missing = parseInt(match[1], 16);
      this.#phase = this.#missing === 0 ? "trailers" : "data";
    } else if (line === "") {
      this.#phase = "complete";
    } else {
      this.#trailersSize += line.length;
      if (this.#trailersSize > MAX_TRAILERS) throw broken("the trailer section is too long");
    }
  }
}

function broken(why: string): HandshakeError {
  return new HandshakeError(`Cannot read the chunked body: ${why}`, { status: 400 });
}

function tooLarge(maxSize: number): HandshakeError {
  return new HandshakeError(`The body is longer than ${maxSize} bytes (limits.maxBodySize)`, {
    status: 413,
  });
}
