/**
 * DEFLATE by the letter of RFC 1951: slow, strict and apart from zlib, so that it can judge what was
 * compressed. It knows how far back each reference goes.
 *
 * @module
 */

/** What a stream amounts to. */
export interface Inflated {
  readonly bytes: Uint8Array;
  /** The largest distance of all references; 0 if there was none. */
  readonly farthest: number;
  /** Whether the last block was marked as the last one. */
  readonly isFinal: boolean;
}

/** Bits, least significant first (RFC 1951 section 3.1.1). */
class Bits {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length * 8;
  }

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      if (this.isAtEnd) throw new Error("The stream ends inside a block");
      value |= ((this.#bytes[this.#at >> 3] >> (this.#at & 7)) & 1) << i;
    }
    return value;
  }

  alignToByte(): void {
    this.#at = (this.#at + 7) & ~7;
  }
}

/** A Huffman code as the numbers of codes of each length, and the symbols in order. */
interface Code {
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

function createCode(lengths: readonly number[]): Code {
  const counts = Array<number>(16).fill(0);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  const symbols: number[] = [];
  for (let length = 1; length < 16; length++) {
    for (const [symbol, other] of lengths.entries()) if (other === length) symbols.push(symbol);
  }
  return { counts, symbols };
}

function decode(bits: Bits, { counts, symbols }: Code): number {
  let [code, first, index] = [0, 0, 0];
  for (let length = 1; length < 16; length++) {
    code |= bits.take(1);
    if (code - first < counts[length]) return symbols[index + code - first];
    index += counts[length];
    first = (first + counts[length]) << 1;
    code <<= 1;
  }
  throw new Error("A code that stands for nothing");
}

const LENGTHS = [
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  10,
  11,
  13,
  15,
  17,
  19,
  23,
  27,
  31,
  35,
  43,
  51,
  59,
  67,
  83,
  99,
  115,
  131,
  163,
  195,
  227,
  258,
];
const LENGTH_BITS = [
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
  1,
  1,
  1,
  2,
  2,
  2,
  2,
  3,
  3,
  3,
  3,
  4,
  4,
  4,
  4,
  5,
  5,
  5,
  5,
  0,
];
const DISTANCES = Array.from(
  { length: 30 },
  (_, i) => i < 4 ? i + 1 : ((2 + (i & 1)) << ((i >> 1) - 1)) + 1,
);
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const FIXED_LENGTHS = createCode(
  Array.from({ length: 288 }, (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8),
);
const FIXED_DISTANCES = createCode(Array<number>(30).fill(5));

/** The codes that a block with a table of its own begins with (section 3.2.7). */
function readCodes(bits: Bits): [Code, Code] {
  const [literals, distances, count] = [257 + bits.take(5), 1 + bits.take(5), 4 + bits.take(4)];
  const lengths = Array<number>(19).fill(0);
  for (let i = 0; i < count; i++) lengths[ORDER[i]] = bits.take(3);
  const code = createCode(lengths);
  const all: number[] = [];
  while (all.length < literals + distances) {
    const symbol = decode(bits, code);
    if (symbol < 16) all.push(symbol);
    else if (symbol === 16) all.push(...Array<number>(3 + bits.take(2)).fill(all[all.length - 1]));
    else all.push(...Array<number>(symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7)).fill(0));
  }
  return [createCode(all.slice(0, literals)), createCode(all.slice(literals))];
}

/**
 * Inflates a whole number of blocks. `before` is what references may go back to: the messages
 * before, where that was agreed on. Throws for what RFC 1951 does not allow, and for a reference
 * beyond `windowSize` bytes.
 */
export function inflate(
  stream: Uint8Array,
  windowSize: number = 32_768,
  before: Uint8Array = new Uint8Array(0),
): Inflated {
  const bits = new Bits(stream);
  const out = [...before];
  let farthest = 0;
  let isFinal = false;
  while (!bits.isAtEnd && !isFinal) {
    isFinal = bits.take(1) === 1;
    const type = bits.take(2);
    if (type === 0) {
      bits.alignToByte();
      const length = bits.take(16);
      if (length !== (~bits.take(16) & 0xffff)) {
        throw new Error("Lengths that contradict each other");
      }
      for (let i = 0; i < length; i++) out.push(bits.take(8));
      continue;
    }
    if (type === 3) throw new Error("A type of block that does not exist");
    const [lengths, distances] = type === 1 ? [FIXED_LENGTHS, FIXED_DISTANCES] : readCodes(bits);
    for (let symbol = decode(bits, lengths); symbol !== 256; symbol = decode(bits, lengths)) {
      if (symbol < 256) {
        out.push(symbol);
        continue;
      }
      const length = LENGTHS[symbol - 257] + bits.take(LENGTH_BITS[symbol - 257]);
      const code = decode(bits, distances);
      const distance = DISTANCES[code] + bits.take(Math.max(0, (code >> 1) - 1));
      if (distance > out.length) {
        throw new Error(`A reference ${distance} back, to before the start`);
      }
      if (distance > windowSize) throw new Error(`A reference ${distance} back, out of the window`);
      farthest = Math.max(farthest, distance);
      for (let i = 0; i < length; i++) out.push(out[out.length - distance]);
    }
  }
  return { bytes: Uint8Array.from(out.slice(before.length)), farthest, isFinal };
}
