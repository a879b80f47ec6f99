/**
 * Payloads of the read that is being worked on, unmasked. All but long ones are copied together to where
 * that goes by words: setting up views for each payload takes longer than masking a KiB.
 *
 * @module
 */

import { applyMask, applyMaskWithin, copyMasked, WORDS_FROM } from "./mask.ts";
import { WordBuffer } from "./mask_words.ts";

/** A read up to this length is copied as a whole. */
const SIZE = 16_384;

/** Of longer reads so many bytes are copied together; longer payloads are unmasked where they are. */
const PART = 4096;

const NOTHING = new Uint8Array(0);

/** One read, or a part of it; keeps the last read alive. */
export class ReadWindow {
  readonly #words = new WordBuffer(SIZE);
  /** The read. */
  #input: Uint8Array = NOTHING;
  /** Where in the read the part begins and ends. */
  #start = 0;
  #end = 0;

  /** Says that other bytes are in `input` now. */
  renew(input: Uint8Array): void {
    if (this.#input === input) this.#input = NOTHING;
  }

  /**
   * The payload of `length` bytes, all there, that begins at `input[start]`, XORed with its masking key;
   * an array of its own. Of each payload only once: a long one has then been unmasked in place, too.
   */
  unmask(
    input: Uint8Array,
    start: number,
    length: number,
    key: number,
  ): Uint8Array<ArrayBuffer> {
    // Made of other bytes, an array need not be cleared first.
    if (length > PART) return new Uint8Array(this.unmaskOnce(input, start, length, key));
    if (length < WORDS_FROM || key === 0) {
      const payload = new Uint8Array(length);
      copyMasked(payload, 0, input, start, length, key);
      return payload;
    }
    const at = this.#unmask(input, start, length, key);
    return this.#words.bytes.slice(at, at + length);
  }

  /** Like {@linkcode ReadWindow.unmask}, but valid only until the next call, and maybe in place. */
  unmaskOnce(input: Uint8Array, start: number, length: number, key: number): Uint8Array {
    if (key === 0 || length > PART) {
      const payload = input.subarray(start, start + length);
      applyMask(payload, key);
      return payload;
    }
    const at = this.#unmask(input, start, length, key);
    return this.#words.bytes.subarray(at, at + length);
  }

  #unmask(input: Uint8Array, start: number, length: number, key: number): number {
    const isThere = input === this.#input && start >= this.#start && start + length <= this.#end;
    if (!isThere) this.#move(input, start);
    const at = start - this.#start;
    applyMaskWithin(this.#words, at, at + length, key);
    return at;
  }

  #move(input: Uint8Array, start: number): void {
    this.#input = input;
    const isWhole = input.length <= SIZE;
    this.#start = isWhole ? 0 : start;
    this.#end = isWhole ? input.length : Math.min(input.length, start + PART);
    this.#words.bytes.set(isWhole ? input : input.subarray(this.#start, this.#end));
  }
}

/** One window is enough for all connections: another's read counts for nothing. */
export const readWindow: ReadWindow = new ReadWindow();
