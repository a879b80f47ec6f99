/**
 * Fairness: a session that has had its share of work lets the others have their turn.
 *
 * @module
 */

import type { Timers } from "./clock.ts";

/** How much one session may do in a row. */
export interface TurnLimits {
  /** Frames. */
  readonly turnFrames: number;
  /** Bytes. */
  readonly turnBytes: number;
  /** Milliseconds. */
  readonly turnTime: number;
}

/** One session's share of the event loop. */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #timers: Timers;
  readonly #onTurn: () => void;
  #frames = 0;
  #bytes = 0;
  #started = 0;
  #isYielding = false;

  /** `onTurn` is called when it is this session's turn again. */
  constructor(limits: TurnLimits, timers: Timers, onTurn: () => void) {
    this.#limits = limits;
    this.#timers = timers;
    this.#onTurn = onTurn;
  }

  /** Whether the others have their turn now. */
  get isYielding(): boolean {
    return this.#isYielding;
  }

  /** Bytes have arrived, after a wait in which the others could work. */
  received(size: number): void {
    this.#frames = 0;
    this.#bytes += size;
  }

  /** A frame has been dealt with. */
  worked(): void {
    this.#frames++;
  }

  /** Whether there is time for another frame; if not, the others get theirs. */
  hasTime(): boolean {
    if (this.#isYielding) return false;
    if (this.#frames === 0) this.#started = this.#timers.now();
    if (!this.#isOver()) return true;
    this.#isYielding = true;
    this.#timers.turn().then(() => {
      this.#frames = 0;
      this.#bytes = 0;
      this.#isYielding = false;
      this.#onTurn();
    });
    return false;
  }

  #isOver(): boolean {
    const { turnFrames, turnBytes, turnTime } = this.#limits;
    if (this.#frames >= turnFrames || this.#bytes >= turnBytes) return true;
    // Looking at the clock costs as much as a small frame.
    return (this.#frames & 7) === 7 && this.#timers.now() - this.#started >= turnTime;
  }
}
