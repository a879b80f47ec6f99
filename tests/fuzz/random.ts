/** Chance with a seed: what it gives is the same for the same seed, on every runtime. @module */

import { seededRandom } from "../cuts.ts";

/** A source of choices. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  /** A whole number up to `end`, small ones more often than large ones. */
  size(end: number): number {
    return Math.floor(this.#next() ** 3 * (end + 1));
  }

  /** Whether something happens that does so once in `times` times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of the items. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)];
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** `bytes` in pieces, some of them empty. */
  cut(bytes: Uint8Array): Uint8Array[] {
    const longest = 1 + this.size(bytes.length);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = this.below(longest + 1);
      pieces.push(bytes.slice(at, at + size));
      at += size;
    }
    return pieces;
  }

  /** `bytes` with a few changes: bits turned, bytes replaced, left out or doubled, parts moved. */
  mutate(bytes: Uint8Array, words: readonly Uint8Array[] = []): Uint8Array {
    let changed = bytes.slice();
    for (let count = 1 + this.size(4); count > 0; count--) changed = this.#change(changed, words);
    return changed;
  }

  #change(bytes: Uint8Array, words: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const at = this.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + this.size(20));
    const [before, part, after] = [
      bytes.subarray(0, at),
      bytes.subarray(at, end),
      bytes.subarray(end),
    ];
    switch (this.below(words.length > 0 ? 7 : 6)) {
      case 0: {
        const copy = new Uint8Array(bytes);
        if (at < copy.length) copy[at] ^= 1 << this.below(8);
        return copy;
      }
      case 1:
        return join(before, this.bytes(1), bytes.subarray(Math.min(bytes.length, at + 1)));
      case 2:
        return join(before, after);
      case 3:
        return join(before, part, part, after);
      case 4:
        return join(before, this.bytes(this.size(8)), bytes.subarray(at));
      case 5:
        return join(after, part, before);
      default:
        return join(before, this.pick(words), bytes.subarray(at));
    }
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
