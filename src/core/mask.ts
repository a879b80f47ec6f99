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
  const rotated = rotate(key, phase);
  if (bytes.length < WORDS_FROM) {
    maskBytes(bytes, 0, bytes.length, rotated);
    return;
  }
  const head = -bytes.byteOffset & 3; // up to the first 32-bit boundary of the buffer
  const words = (bytes.length - head) >>> 2;
  maskBytes(bytes, 0, head, rotated);
  const aligned = rotate(rotated, head);
  maskWords(new Int32Array(bytes.buffer, bytes.byteOffset + head, words), inPlatformOrder(aligned));
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
    for (let i = 0, shift = 24; i < length; i++, shift = (shift - 8) & 31) {
      target[at + i] = source[start + i] ^ (key >>> shift);
    }
    return;
  }
  const isWhole = start === 0 && length === source.length;
  target.set(isWhole ? source : source.subarray(start, start + length), at);
  if (key !== 0) applyMask(target.subarray(at, at + length), key);
}

/** The key as seen from payload position `phase` on. */
function rotate(key: number, phase: number): number {
  const bits = (phase & 3) << 3;
  return bits === 0 ? key : (key << bits) | (key >>> (32 - bits));
}

/** `bytes[start]` meets the first octet of `key`. */
function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  for (let i = start, shift = 24; i < end; i++, shift = (shift - 8) & 31) {
    bytes[i] ^= key >>> shift;
  }
}

function maskWords(words: Int32Array, key: number): void {
  const length = words.length;
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

/** The 32-bit word that holds the key's octets in memory order on this machine. */
function inPlatformOrder(key: number): number {
  const bytes = Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key);
  return new Int32Array(bytes.buffer)[0];
}
