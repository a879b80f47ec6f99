/**
 * UTF-8 (RFC 3629) as RFC 6455 section 8.1 wants it: text that is not valid fails the connection,
 * at the first byte that cannot belong to any valid text. A byte order mark is data and is kept.
 *
 * @module
 */

import { CloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the lenient decoder puts in the place of bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/** No string of V8 is longer, and what one runtime can't decode, none does. */
const MAX_TEXT = 0x1fffffe8;

let isLenientFirst = false;

/**
 * Lets {@linkcode decodeUtf8} try the lenient decoder first, from now on and for all sessions: where the
 * strict one takes several times as long.
 */
export function useLenientDecoder(isFirst: boolean): void {
  isLenientFirst = isFirst;
}

/** The UTF-8 bytes of `text`; a lone surrogate becomes U+FFFD, as everywhere on the web. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** A text of this many UTF-16 units fits into the scratch buffer in any case. */
const MAX_SCRATCH_TEXT = 16_384;
const scratch = new Uint8Array(3 * MAX_SCRATCH_TEXT);

/** Like {@linkcode encodeUtf8}, but valid only until the next call: without an array for each text. */
export function encodeUtf8Once(text: string): Uint8Array {
  if (text.length > MAX_SCRATCH_TEXT) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/**
 * The text in `bytes`. Throws a {@linkcode ProtocolError}: with code 1007 if they are not UTF-8, with
 * 1009 if no string can be so long.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT) {
    throw new ProtocolError(
      `Text of ${bytes.length} bytes is more than the ${MAX_TEXT} that a string can hold`,
      CloseCode.MessageTooBig,
    );
  }
  try {
    if (isLenientFirst) {
      const text = lenientDecoder.decode(bytes);
      if (!text.includes(REPLACEMENT)) return text; // else it may be the sender's own
    }
    return decoder.decode(bytes);
  } catch {
    throw invalidUtf8();
  }
}

/**
 * Checks text that comes in pieces. {@linkcode Utf8Validator.push} throws at the first byte that
 * cannot continue a valid sequence, {@linkcode Utf8Validator.finish} if the text ends inside one.
 */
export class Utf8Validator {
  /** Continuation bytes still missing from the current sequence. */
  #missing = 0;
  /** The range of the next continuation byte: narrower than 80–BF only right after the first. */
  #lowest = 0x80;
  #highest = 0xbf;

  /** Checks the next piece of the text. */
  push(bytes: Uint8Array): void {
    const length = bytes.length;
    for (let i = 0; i < length; i++) {
      const byte = bytes[i];
      if (this.#missing > 0) this.#continue(byte);
      else if (byte >= 0x80) this.#start(byte);
    }
  }

  /** Says that the text is complete, and gets ready for another. */
  finish(): void {
    if (this.#missing > 0) throw invalidUtf8();
  }

  // RFC 3629 section 4: the first byte decides the length and the range of the second byte.
  #start(byte: number): void {
    if (byte >= 0xc2 && byte <= 0xdf) this.#expect(1, 0x80, 0xbf);
    else if (byte === 0xe0) this.#expect(2, 0xa0, 0xbf); // no overlong forms
    else if (byte === 0xed) this.#expect(2, 0x80, 0x9f); // no surrogates
    else if (byte >= 0xe1 && byte <= 0xef) this.#expect(2, 0x80, 0xbf);
    else if (byte === 0xf0) this.#expect(3, 0x90, 0xbf); // no overlong forms
    else if (byte >= 0xf1 && byte <= 0xf3) this.#expect(3, 0x80, 0xbf);
    else if (byte === 0xf4) this.#expect(3, 0x80, 0x8f); // nothing above U+10FFFF
    else throw invalidUtf8();
  }

  #continue(byte: number): void {
    if (byte < this.#lowest || byte > this.#highest) throw invalidUtf8();
    this.#expect(this.#missing - 1, 0x80, 0xbf);
  }

  #expect(missing: number, lowest: number, highest: number): void {
    this.#missing = missing;
    this.#lowest = lowest;
    this.#highest = highest;
  }
}

function invalidUtf8(): ProtocolError {
  return new ProtocolError("Text is not valid UTF-8", CloseCode.InvalidPayload);
}
