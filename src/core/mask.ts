/**
 * Masking (RFC 6455 section 5.3): payload octet i is XORed with octet i modulo 4 of the key.
 * The same function masks and unmasks.
 *
 * @module
 */

import { WordBuffer, xorWords } from "./mask_words.ts";

/** Below this many bytes a plain loop beats going by words. */
export const WORDS_FROM = 64;

/** Up to so many bytes are masked on their way here and on, and not where they go. */
const SCRATCH_SIZE = 16_384;
const scratch = new WordBuffer(SCRATCH_SIZE);

/**
 * XORs `bytes` in place with the masking key, a 32-bit number whose first octet on the wire is its
 * most significant one.
 *
 * `phase` is the position of `bytes[0]` within the frame's payload, for payloads that come in pieces.
 */
export function applyMask(bytes: Uint8Array, key: number, phase: number = 0): void {
  if (key === 0) return;
  const rotated = rotateKey(key, phase);
  if (bytes.length < WORDS_FROM) {
    maskBytes(bytes, 0, bytes.length, rotated);
    return;
  }
  const head = -bytes.byteOffset & 7; // up to the first word of the buffer
  const count = (bytes.length - head) >>> 3;
  maskBytes(bytes, 0, head, rotated);
  const aligned = rotateKey(rotated, head);
  xorWords(bytes.buffer, bytes.byteOffset + head, count, inPlatformOrder(aligned));
  maskBytes(bytes, head + (count << 3), bytes.length, aligned);
}

/**
 * Copies `length` bytes of `source`, from `start` on, to `target[at]`, XORed with the key, whose first
 * octet meets the first byte.
 */
export function copyMasked(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  length: number,
  key: number,
): void {
  if (length < WORDS_FROM) {
    const k0 = key >>> 24, k1 = key >>> 16, k2 = key >>> 8;
    const unrolled = length & ~3;
    let i = 0;
    for (; i < unrolled; i += 4) {
      target[at + i] = source[start + i] ^ k0;
      target[at + i + 1] = source[start + i + 1] ^ k1;
      target[at + i + 2] = source[start + i + 2] ^ k2;
      target[at + i + 3] = source[start + i + 3] ^ key;
    }
    if (i < length) target[at + i] = source[start + i] ^ k0;
    if (i + 1 < length) target[at + i + 1] = source[start + i + 1] ^ k1;
    if (i + 2 < length) target[at + i + 2] = source[start + i + 2] ^ k2;
    return;
  }
  const isWhole = start === 0 && length === source.length;
  const bytes = isWhole ? source : source.subarray(start, start + length);
  if (key === 0) return target.set(bytes, at);
  target.set(length <= SCRATCH_SIZE ? inScratch(bytes, key) : bytes, at);
  if (length > SCRATCH_SIZE) applyMask(target.subarray(at, at + length), key);
}

/**
 * The bytes XORed with the key; valid until the next call. Asking a new array for its buffer costs more
 * than copying a few KiB.
 */
function inScratch(bytes: Uint8Array, key: number): Uint8Array<ArrayBuffer> {
  scratch.bytes.set(bytes);
  scratch.xor(0, (bytes.length + 7) >> 3, inPlatformOrder(key));
  return scratch.bytes.subarray(0, bytes.length);
}

/** Like {@linkcode applyMask}, for the bytes of `buffer` from `start` to `end`. */
export function applyMaskWithin(buffer: WordBuffer, start: number, end: number, key: number): void {
  if (key === 0) return;
  const first = Math.min((start + 7) & ~7, end);
  maskBytes(buffer.bytes, start, first, key);
  const aligned = rotateKey(key, first - start);
  const count = (end - first) >> 3;
  if (count > 0) buffer.xor(first, count, inPlatformOrder(aligned));
  maskBytes(buffer.bytes, first + (count << 3), end, aligned);
}

/** The key as seen from payload position `phase` on. */
export function rotateKey(key: number, phase: number): number {
  const bits = (phase & 3) << 3;
  return bits === 0 ? key : (key << bits) | (key >>> (32 - bits));
}

/** `bytes[start]` meets the first octet of `key`. */
function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  for (let i = start, shift = 24; i < end; i++, shift = (shift - 8) & 31) {
    bytes[i] ^= key >>> shift;
  }
}

const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/** The 32-bit word that holds the key's octets in memory order on this machine. */
function inPlatformOrder(key: number): number {
  keyBytes[0] = key >>> 24;
  keyBytes[1] = key >>> 16;
  keyBytes[2] = key >>> 8;
  keyBytes[3] = key;
  return keyWord[0];
}
