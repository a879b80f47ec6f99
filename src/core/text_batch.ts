/**
 * Short texts that came in one read, decoded together: making one string and cutting it costs a
 * fraction of making each. Only for ASCII; whatever else there is goes the usual way.
 *
 * @module
 */

import { asciiScratch, decodeAscii } from "./ascii.ts";
import {
  MAX_SHORT_PAYLOAD,
  shortHeaderSize,
  shortKey,
  shortLength,
  WHOLE_TEXT,
} from "./short_frame.ts";

/** Bytes decoded together at most: a part of a string may keep the whole of it alive. */
const MAX_BATCH = 1024;

const NOTHING = new Uint8Array(0);

/**
 * The texts of one read that have been decoded ahead. One is enough for all connections: what it
 * knows of another read counts for nothing.
 */
export class TextBatch {
  /** The read. */
  #input: Uint8Array = NOTHING;
  #text = "";
  /** Where the next message begins. */
  #at = 0;
  /** Frames that begin before this position of the input have been looked at. */
  #end = 0;

  /** Says that other bytes are in `input` now. */
  renew(input: Uint8Array): void {
    if (this.#input === input) this.#input = NOTHING;
  }

  /**
   * The text of the frame whose payload of `length` bytes, all there, begins at `input[at]`; `null`
   * if it is to be decoded on its own. `key` is its masking key, `null` if frames are not masked.
   */
  take(input: Uint8Array, at: number, length: number, key: number | null): string | null {
    if (length > MAX_SHORT_PAYLOAD) return null;
    if (input !== this.#input || at >= this.#end) this.#gather(input, at, length, key);
    if (this.#at === this.#text.length) return length === 0 ? "" : null;
    const from = this.#at;
    this.#at += length;
    return this.#text.substring(from, this.#at);
  }

  #gather(input: Uint8Array, at: number, length: number, key: number | null): void {
    const isMasked = key !== null;
    this.#input = input;
    let size = 0;
    let bits = 0;
    let mask = key ?? 0;
    while (true) {
      bits |= unmaskInto(size, input, at, length, mask);
      size += length;
      at += length;
      this.#end = at;
      if (input[at] !== WHOLE_TEXT) break;
      length = shortLength(input, at, isMasked);
      if (length < 0 || size + length > MAX_BATCH) break;
      if (isMasked) mask = shortKey(input, at);
      at += shortHeaderSize(isMasked);
    }
    // Of bytes with a bit 7 each message decides for itself.
    this.#text = (bits & 0x80) === 0 ? decodeAscii(size) : "";
    this.#at = 0;
  }
}

/**
 * Copies `length` bytes of `input[at]` to the scratch, XORed with the key. Returns the bits of all of
 * them, of which the lowest eight count.
 */
function unmaskInto(
  to: number,
  input: Uint8Array,
  at: number,
  length: number,
  key: number,
): number {
  const k0 = key >>> 24, k1 = key >>> 16, k2 = key >>> 8;
  const end = at + (length & ~3);
  let bits = 0;
  for (; at < end; at += 4, to += 4) {
    bits |= asciiScratch[to] = input[at] ^ k0;
    bits |= asciiScratch[to + 1] = input[at + 1] ^ k1;
    bits |= asciiScratch[to + 2] = input[at + 2] ^ k2;
    bits |= asciiScratch[to + 3] = input[at + 3] ^ key;
  }
  const rest = length & 3;
  if (rest > 0) bits |= asciiScratch[to] = input[at] ^ k0;
  if (rest > 1) bits |= asciiScratch[to + 1] = input[at + 1] ^ k1;
  if (rest > 2) bits |= asciiScratch[to + 2] = input[at + 2] ^ k2;
  return bits;
}
