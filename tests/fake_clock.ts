/** A clock that stands still until it is told to go on. @module */

import type { Clock } from "../src/clock.ts";

interface Call {
  readonly at: number;
  readonly callback: () => void;
}

/** Time as an argument: `advance()` makes the calls that fall due, in order. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #calls = new Set<Call>();

  /** Calls that wait: 0 means that nothing keeps a program alive. */
  get pending(): number {
    return this.#calls.size;
  }

  now(): number {
    return this.#now;
  }

  schedule(ms: number, callback: () => void): Call {
    const call = { at: this.#now + ms, callback };
    this.#calls.add(call);
    return call;
  }

  cancel(call: unknown): void {
    this.#calls.delete(call as Call);
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Lets `ms` milliseconds pass; promises settle between the calls. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (true) {
      const next = [...this.#calls].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#calls.delete(next);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  /** Time passes while nothing runs, as in a stopped process; what fell due is called afterwards. */
  async standStill(ms: number): Promise<void> {
    this.#now += ms;
    await this.advance(0);
  }
}

/** Lets promises and the work that they start settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}
