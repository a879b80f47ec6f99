/**
 * Fairness: a session that has had its share of work lets the others have their turn.
 *
 * @module
 */

import type { Timers } from "./clock.ts";

/** How much one session may do in a row. Of several reads, that with which it is so much is worked on. */
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

/** Time is looked at once in so many frames: a look at the clock costs as much as a small one. */
const LOOK_EVERY = 8;

/**
 * One session's share of the event loop. What is too much within one read waits at once. Reads may follow
 * one another before anybody else is looked at, or much later, and nothing tells which it is: when several
 * together are too much, the others' turn is asked for, and only a read that comes before they had it waits.
 */
export class Turns {
  readonly #owner: TurnsOwner;
  /** Of the read in hand: frames dealt with, its bytes, and when it came. */
  #frames = 0;
  #size = 0;
  #started = 0;
  /** The same of all reads since the others last had their turn; of frames only those of earlier ones. */
  #earlierFrames = 0;
  #bytes = 0;
  #firstStarted = 0;
  /** The others will have their turn. */
  #isAsking = false;
  /** And this session waits for it. */
  #isYielding = false;

  constructor(owner: TurnsOwner) {
    this.#owner = owner;
  }

  /** Whether the others have their turn now. */
  get isYielding(): boolean {
    return this.#isYielding;
  }

  /** A read has brought bytes. */
  received(size: number, now: number): void {
    this.#isYielding = this.#isAsking;
    this.#earlierFrames += this.#frames;
    this.#frames = 0;
    if (this.#bytes === 0) this.#firstStarted = now;
    this.#size = size;
    this.#bytes += size;
    this.#started = now;
    if (this.#isRowOver(now)) this.#askForTurn();
  }

  /** A frame has been dealt with. */
  worked(): void {
    this.#frames++;
  }

  /** Whether there is time for another frame; if not, the others get theirs. */
  hasTime(): boolean {
    if (this.#isYielding) return false;
    if (!this.#isReadOver()) return true;
    this.#isYielding = true;
    this.#askForTurn();
    return false;
  }

  /** Whether the frames of this read were too much. */
  #isReadOver(): boolean {
    const { turnFrames, turnTime } = this.#owner.options.limits;
    if (this.#frames >= turnFrames) return true;
    return this.#frames % LOOK_EVERY === LOOK_EVERY - 1 &&
      this.#owner.timers.now() - this.#started >= turnTime;
  }

  /** Whether the reads in a row were, with the bytes of this one, but not its frames. */
  #isRowOver(now: number): boolean {
    const { turnFrames, turnBytes, turnTime } = this.#owner.options.limits;
    const frames = this.#earlierFrames;
    return this.#bytes >= turnBytes || frames >= turnFrames ||
      (frames >= LOOK_EVERY && now - this.#firstStarted >= turnTime);
  }

  #askForTurn(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const goOn = (): void => this.#goOn();
    this.#owner.timers.sharedTurn().then(goOn, goOn); // a clock that fails holds nobody up
  }

  /** The others have had their turn. What has waited for it belongs to the next one. */
  #goOn(): void {
    const hasWaited = this.#isYielding;
    const now = this.#owner.timers.now();
    this.#isAsking = this.#isYielding = false;
    this.#frames = this.#earlierFrames = 0;
    this.#bytes = hasWaited ? this.#size : 0;
    this.#started = this.#firstStarted = now;
    if (!hasWaited) return;
    if (this.#isRowOver(now)) this.#askForTurn();
    this.#owner.onTurn();
  }
}
