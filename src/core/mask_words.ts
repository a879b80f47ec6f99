/**
 * XORs many bytes with a masking key, eight at a time: as two words of 32 bits, or as one of 64. Which
 * is faster depends on the compiler, and only whoever knows the runtime can say.
 *
 * @module
 */

/** How long {@linkcode scratch} is, in bytes. */
export const SCRATCH_SIZE = 16_384;

/** Bytes to work on that nobody else has. */
export const scratch: Uint8Array<ArrayBuffer> = new Uint8Array(SCRATCH_SIZE);

/** A way to XOR. `count` is in units of eight bytes, `at` a multiple of eight, the key in memory order. */
interface WordMask {
  xor(buffer: ArrayBufferLike, at: number, count: number, key: number): void;
  xorScratch(count: number, key: number): void;
}

const narrowScratch = new Int32Array(scratch.buffer);
const wideScratch = new BigInt64Array(scratch.buffer);

const narrow: WordMask = {
  xor: (buffer, at, count, key) => xorNarrow(new Int32Array(buffer, at, 2 * count), count, key),
  xorScratch: (count, key) => xorNarrow(narrowScratch, count, key),
};

const wide: WordMask = {
  xor: (buffer, at, count, key) => xorWide(new BigInt64Array(buffer, at, count), count, key),
  xorScratch: (count, key) => xorWide(wideScratch, count, key),
};

let mask = narrow;

/**
 * Chooses words of 64 bits, or of 32, for all sessions. The wide ones are BigInts: V8, once it has
 * compiled this, keeps them in registers, and needs half to two thirds of the time; JavaScriptCore makes
 * an object of each, and takes a hundred times as long.
 */
export function useWideWords(isWide: boolean): void {
  mask = isWide ? wide : narrow;
}

/** XORs `8 * count` bytes from a multiple of eight on with the key, which is in memory order. */
export function xorWords(
  buffer: ArrayBufferLike,
  at: number,
  count: number,
  key: number,
): void {
  mask.xor(buffer, at, count, key);
}

/** XORs the first `8 * count` bytes of {@linkcode scratch} with the key, which is in memory order. */
export function xorScratch(count: number, key: number): void {
  mask.xorScratch(count, key);
}

function xorNarrow(words: Int32Array, count: number, key: number): void {
  const end = 2 * count;
  const unrolled = end & ~7;
  let i = 0;
  for (; i < unrolled; i += 8) {
    words[i] ^= key;
    words[i + 1] ^= key;
    words[i + 2] ^= key;
    words[i + 3] ^= key;
    words[i + 4] ^= key;
    words[i + 5] ^= key;
    words[i + 6] ^= key;
    words[i + 7] ^= key;
  }
  for (; i < end; i++) words[i] ^= key;
}

const pair = new Int32Array(2);
const pairAsOne = new BigInt64Array(pair.buffer);

function xorWide(words: BigInt64Array, count: number, key: number): void {
  pair[0] = pair[1] = key;
  const twice = pairAsOne[0];
  const unrolled = count & ~3;
  let i = 0;
  for (; i < unrolled; i += 4) {
    words[i] ^= twice;
    words[i + 1] ^= twice;
    words[i + 2] ^= twice;
    words[i + 3] ^= twice;
  }
  for (; i < count; i++) words[i] ^= twice;
}
