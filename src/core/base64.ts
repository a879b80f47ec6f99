/**
 * Bytes as base64 (RFC 4648 section 4), with padding: `btoa()` takes a text, and gives one.
 *
 * @module
 */

import { asciiScratch, decodeAscii } from "./ascii.ts";
import { encodeUtf8 } from "./utf8.ts";

const ALPHABET = encodeUtf8("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PADDING = 0x3d; // "="

/** How many characters `length` bytes become. */
export function base64Length(length: number): number {
  return Math.ceil(length / 3) * 4;
}

/** Puts bytes as base64 into `target`, from `at` on. */
export function writeBase64(target: Uint8Array, at: number, bytes: Uint8Array): void {
  const { length } = bytes;
  for (let i = 0; i < length; i += 3, at += 4) {
    const second = i + 1 < length;
    const third = i + 2 < length;
    const bits = (bytes[i] << 16) | (second ? bytes[i + 1] << 8 : 0) | (third ? bytes[i + 2] : 0);
    target[at] = ALPHABET[bits >> 18];
    target[at + 1] = ALPHABET[(bits >> 12) & 63];
    target[at + 2] = second ? ALPHABET[(bits >> 6) & 63] : PADDING;
    target[at + 3] = third ? ALPHABET[bits & 63] : PADDING;
  }
}

/** At most 1536 bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  writeBase64(asciiScratch, 0, bytes);
  return decodeAscii(base64Length(bytes.length));
}
