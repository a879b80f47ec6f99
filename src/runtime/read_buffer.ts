/**
 * What a connection is read to where the reader brings the memory, as on Deno: little while it idles, much
 * while it is busy, and a bounded sum for all connections.
 *
 * @module
 */

import { free } from "./free.ts";

/** A waiting read pins its buffer, so an idle connection gets a small one. */
export const SMALL = 512;

/** As long as reads fill their buffer, the next one gets four times as much, up to this. */
const LARGE = 262_144;

/** What all buffers of a process may have above {@linkcode SMALL}. */
const MAX_LARGE_BYTES = 16_777_216;

/** Nobody gets more than this part of what is left, so that the last ones still get something. */
const LARGEST_PART = 1 / 16;

/**
 * With this part of it in use, who has read all that was there goes back to {@linkcode SMALL} at once, the
 * first time: most are idle then, and would pin their buffers, and when thousands do, a busy one has to
 * read 64 KiB by 512 bytes. Who then gets a long buffer again is busy, and keeps it.
 */
const SCARCE_FROM = 1 / 4;

/** With this part of it in use, everybody goes back. */
const RARE_FROM = 3 / 4;

/** Else so many reads in a row must be small before the next one gets a shorter buffer. */
const PATIENCE = 8;

const NOTHING = new Uint8Array(0);

/** What many buffers have in all. */
export interface ReadBudget {
  /** Bytes that they may have above the {@linkcode SMALL} ones of each. */
  readonly max: number;
  /** Bytes that they have. */
  used: number;
}

const sharedBudget: ReadBudget = { max: MAX_LARGE_BYTES, used: 0 };

/** One connection's buffer. */
export class ReadBuffer {
  readonly #budget: ReadBudget;
  #bytes: Uint8Array = new Uint8Array(SMALL);
  /** Bytes that the last read brought. */
  #filled = 0;
  /** Who got them was not done with them at once: others may work on them even now. */
  #wasHeld = false;
  /** How many reads in a row could have done with a shorter buffer. */
  #smallReads = 0;
  /** It had a long buffer, and went back for others. */
  #hasGivenUp = false;

  constructor(budget: ReadBudget = sharedBudget) {
    this.#budget = budget;
  }

  /** Where to read to: as long as the reads so far make one expect. What the last one brought is gone. */
  next(): Uint8Array {
    const { length } = this.#bytes;
    const { max, used } = this.#budget;
    if (this.#filled === length) {
      this.#replace(Math.min(length * 4, LARGE));
    } else if (length > SMALL) {
      if (used >= max * (this.#hasGivenUp ? RARE_FROM : SCARCE_FROM)) {
        this.#hasGivenUp = true;
        this.#replace(SMALL);
      } else if (this.#filled >= length / 8) {
        this.#smallReads = 0;
      } else if (++this.#smallReads >= PATIENCE) {
        this.#replace(Math.max(length / 4, SMALL));
      }
    }
    return this.#bytes;
  }

  /** The bytes that a read has brought. */
  take(count: number): Uint8Array {
    this.#filled = count;
    this.#wasHeld = false;
    return this.#bytes.subarray(0, count);
  }

  /** Says that who has got them is not done with them yet: their memory is left to the collector. */
  hold(): void {
    this.#wasHeld = true;
  }

  /** Nothing will be read any more. */
  release(): void {
    this.#budget.used -= Math.max(0, this.#bytes.length - SMALL);
    this.#bytes = NOTHING;
  }

  #replace(size: number): void {
    const old = this.#bytes;
    const more = size - old.length;
    this.#smallReads = 0;
    const { max, used } = this.#budget;
    if (more === 0 || more > (max - used) * LARGEST_PART) return;
    this.#bytes = new Uint8Array(size);
    this.#budget.used += more;
    if (!this.#wasHeld) free(old);
  }
}
