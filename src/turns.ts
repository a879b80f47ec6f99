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

/** What {@linkcode Turns} need of their session. */
export interface TurnsOwner {
  readonly options: { readonly limits: TurnLimits };
  readonly timers: Timers;
  /** It is this session's turn again. */
  onTurn(): void;
}

/** One session's share of the event loop. */
export class Turns {
  readonly #owner: TurnsOwner;
  #frames = 0;
  #bytes = 0;
  #started = 0;
  #isYielding = false;

  constructor(owner: TurnsOwner) {
    this.#owner = owner;
  }

  /** Whether the others have their turn now. */
  get isYielding(): boolean {
    return this.#isYielding;
  }

  /** Bytes have arrived, after a wait in which the others could work. */
  received(size: number, now: number): void {
    this.#frames = 0;
    this.#started = now;
    this.#bytes += size;
  }

  /** A frame has been dealt with. */
  worked(): void {
    this.#frames++;
  }

  /** Whether there is time for another frame; if not, the others get theirs. */
  hasTime(): boolean {
    if (this.#isYielding) return false;
    if (!this.#isOver()) return true;
    this.#isYielding = true;
    this.#owner.timers.sharedTurn().then(() => {
      this.#frames = 0;
      this.#bytes = 0;
      this.#started = this.#owner.timers.now();
      this.#isYielding = false;
      this.#owner.onTurn();
    });
    return false;
  }

  #isOver(): boolean {
    const { turnFrames, turnBytes, turnTime } = this.#owner.options.limits;
    if (this.#frames >= turnFrames || this.#bytes >= turnBytes) return true;
    // Looking at the clock costs as much as a small frame.
    return (this.#frames & 7) === 7 && this.#owner.timers.now() - this.#started >= turnTime;
  }
}
