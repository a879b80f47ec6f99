/**
 * Masking (RFC 6455 section 5.3): payload octet i is XORed with octet i modulo 4 of the key.
 * The same function masks and unmasks.
 *
 * @module
 */

/** Below this many bytes a plain loop beats setting up a view of 32-bit words. */
const WORDS_FROM = 64;

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
  const head = -bytes.byteOffset & 3; // up to the first 32-bit boundary of the buffer
  const words = (bytes.length - head) >>> 2;
  maskBytes(bytes, 0, head, rotated);
  const aligned = rotateKey(rotated, head);
  const view = new Int32Array(bytes.buffer, bytes.byteOffset + head, words);
  maskWords(view, words, inPlatformOrder(aligned));
  maskBytes(bytes, head + (words << 2), bytes.length, aligned);
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
  target.set(length <= MAX_SCRATCH ? inScratch(bytes, key) : bytes, at);
  if (length > MAX_SCRATCH) applyMask(target.subarray(at, at + length), key);
}

/** A copy of `length` bytes of `source`, from `start` on, XORed with the key; an array of its own. */
export function unmask(
  source: Uint8Array,
  start: number,
  length: number,
  key: number,
): Uint8Array<ArrayBuffer> {
  if (length < WORDS_FROM || length > MAX_SCRATCH || key === 0) {
    const copy = new Uint8Array(length);
    copyMasked(copy, 0, source, start, length, key);
    return copy;
  }
  return inScratch(source.subarray(start, start + length), key).slice();
}

/** Asking a new array for its buffer costs more than copying a few KiB: words are XORed here. */
const MAX_SCRATCH = 16_384;
const scratch = new Uint8Array(MAX_SCRATCH);
const scratchWords = new Int32Array(scratch.buffer);

/** The bytes XORed with the key; valid until the next call. */
function inScratch(bytes: Uint8Array, key: number): Uint8Array<ArrayBuffer> {
  scratch.set(bytes);
  maskWords(scratchWords, (bytes.length + 3) >> 2, inPlatformOrder(key));
  return scratch.subarray(0, bytes.length);
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

function maskWords(words: Int32Array, length: number, key: number): void {
  const unrolled = length & ~3;
  let i = 0;
  for (; i < unrolled; i += 4) {
    words[i] ^= key;
    words[i + 1] ^= key;
    words[i + 2] ^= key;
    words[i + 3] ^= key;
  }
  for (; i < length; i++) words[i] ^= key;
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
