/**
 * The ways in which bytes may arrive (CATALOGUE oracle O6): whole, byte by byte, in every two
 * pieces, in random pieces. The outcome must be the same each time.
 *
 * @module
 */

/** Bytes in pieces, and how they were cut. */
export interface Cut {
  readonly name: string;
  readonly pieces: readonly Uint8Array[];
}

/** Up to this length bytes are cut in two at every position; longer ones near both ends. */
const EVERYWHERE_UP_TO = 400;

/** How many random cuts are made. */
const SEEDS = [1, 2, 3, 4];

/** All ways in which `bytes` are cut; the pieces are copies. */
export function* cuts(bytes: Uint8Array): Generator<Cut> {
  yield { name: "whole", pieces: [bytes.slice()] };
  yield { name: "byte by byte", pieces: Array.from(bytes, (byte) => Uint8Array.of(byte)) };
  for (const at of twoWayCuts(bytes.length)) {
    yield { name: `cut at ${at}`, pieces: [bytes.slice(0, at), bytes.slice(at)] };
  }
  for (const seed of SEEDS) yield { name: `seed ${seed}`, pieces: randomPieces(bytes, seed) };
}

/**
 * Fewer of these ways, for bytes that go over a network: whole, byte by byte (in a hundred pieces
 * if they are many), in random pieces.
 */
export const FEW_CUTS: readonly {
  readonly name: string;
  readonly cut: (bytes: Uint8Array) => Uint8Array[];
}[] = [
  { name: "whole", cut: (bytes) => [bytes] },
  { name: "byte by byte", cut: (bytes) => equalPieces(bytes) },
  { name: "seed 1", cut: (bytes) => randomPieces(bytes, 1) },
  { name: "seed 2", cut: (bytes) => randomPieces(bytes, 2) },
];

function equalPieces(bytes: Uint8Array): Uint8Array[] {
  const size = bytes.length <= EVERYWHERE_UP_TO ? 1 : Math.ceil(bytes.length / 100);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
  return pieces;
}

function twoWayCuts(length: number): number[] {
  const everywhere = Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  if (length <= EVERYWHERE_UP_TO) return everywhere;
  return [...everywhere.slice(0, 32), ...everywhere.slice(-32)];
}

function randomPieces(bytes: Uint8Array, seed: number): Uint8Array[] {
  const random = seededRandom(seed);
  const longest = 1 + Math.floor(random() * bytes.length);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    // An empty read is no reason to change anything, so some pieces are empty.
    const size = Math.floor(random() * (longest + 1));
    pieces.push(bytes.slice(at, at + size));
    at += size;
  }
  return pieces;
}

/** Numbers from 0 up to 1, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    // A Weyl sequence, scrambled (the finalizer of MurmurHash3).
    state = (state + 0x9e3779b9) | 0;
    let bits = state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 0x1_0000_0000;
  };
}

/** `length` bytes, the same for the same seed. */
export function seededBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}
