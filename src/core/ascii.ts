/**
 * Short texts of ASCII alone, such as most messages and most heads, to bytes and back: the platform's
 * encoder and decoder, which must be ready for everything, take longer.
 *
 * @module
 */

import { decodeUtf8 } from "./utf8.ts";

/**
 * Bytes on their way from one step to the next. Everybody's: no function of anybody else's may be called
 * between writing here and reading.
 */
export const asciiScratch: Uint8Array<ArrayBuffer> = new Uint8Array(2048);

/** Makes what decodes the first `length` of these bytes; none of those exceeds 0x7f. */
export type CreateAsciiDecoder = (bytes: Uint8Array<ArrayBuffer>) => (length: number) => string;

let decodeScratch = (length: number): string => decodeUtf8(asciiScratch.subarray(0, length));

/** Decodes by a means of the runtime's own from now on, for all sessions. */
export function useAsciiDecoder(create: CreateAsciiDecoder): void {
  decodeScratch = create(asciiScratch);
}

/** The first `length` bytes of {@linkcode asciiScratch}, none of which exceeds 0x7f, as text. */
export function decodeAscii(length: number): string {
  return decodeScratch(length);
}

/**
 * Puts a text into {@linkcode asciiScratch}. Returns `false` if it is too long for that, or not all
 * ASCII; then the bytes there mean nothing.
 */
export function encodeAscii(text: string): boolean {
  const { length } = text;
  if (length > asciiScratch.length) return false;
  if (text.charCodeAt(0) > 0x7f) return false; // what is not ASCII is so most often from the start
  const unrolled = length & ~3;
  let bits = 0;
  let i = 0;
  for (; i < unrolled; i += 4) {
    const a = text.charCodeAt(i), b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2), d = text.charCodeAt(i + 3);
    bits |= a | b | c | d;
    asciiScratch[i] = a;
    asciiScratch[i + 1] = b;
    asciiScratch[i + 2] = c;
    asciiScratch[i + 3] = d;
  }
  for (; i < length; i++) bits |= asciiScratch[i] = text.charCodeAt(i);
  return bits < 0x80;
}
