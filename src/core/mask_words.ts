/**
 * XORs many bytes with a masking key, eight at a time: as two words of 32 bits, or as one of 64. Which
 * is faster depends on the compiler, and only whoever knows the runtime can say.
 *
 * @module
 */

let isWide = false;

/**
 * Chooses words of 64 bits, or of 32, for all sessions. The wide ones are BigInts: V8, once it has
 * compiled this, keeps them in registers, and needs half to two thirds of the time; JavaScriptCore makes
 * an object of each, and takes a hundred times as long.
 */
export function useWideWords(areWide: boolean): void {
  isWide = areWide;
}

/**
 * XORs `8 * count` bytes of a buffer, from a multiple of eight on, with the key, which is in memory
 * order.
 */
export function xorWords(buffer: ArrayBufferLike, at: number, count: number, key: number): void {
  if (isWide) xorWide(new BigInt64Array(buffer, at, count), 0, count, key);
  else xorNarrow(new Int32Array(buffer, at, 2 * count), 0, 2 * count, key);
}

/** Bytes to work on, with their words: a view costs more than XORing a KiB. */
export class WordBuffer {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #narrow: Int32Array<ArrayBuffer>;
  readonly #wide: BigInt64Array<ArrayBuffer>;

  /** `size` is a multiple of eight. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#narrow = new Int32Array(this.bytes.buffer);
    this.#wide = new BigInt64Array(this.bytes.buffer);
  }

  /** Like {@linkcode xorWords}. */
  xor(at: number, count: number, key: number): void {
    if (isWide) xorWide(this.#wide, at >> 3, (at >> 3) + count, key);
    else xorNarrow(this.#narrow, at >> 2, (at >> 2) + 2 * count, key);
  }
}

function xorNarrow(words: Int32Array, start: number, end: number, key: number): void {
  const unrolled = start + ((end - start) & ~7);
  let i = start;
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

function xorWide(words: BigInt64Array, start: number, end: number, key: number): void {
  pair[0] = pair[1] = key;
  const twice = pairAsOne[0];
  const unrolled = start + ((end - start) & ~3);
  let i = start;
  for (; i < unrolled; i += 4) {
    words[i] ^= twice;
    words[i + 1] ^= twice;
    words[i + 2] ^= twice;
    words[i + 3] ^= twice;
  }
  for (; i < end; i++) words[i] ^= twice;
}
