/**
 * A clock that stands still until it is told to go on, for tests: time limits of minutes pass at
 * once, and always in the same way.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

interface Call {
  readonly at: number;
  readonly callback: () => void;
}

declare const setImmediate: (callback: () => void) => unknown;

/** How often the event loop turns so that what has begun can settle. */
const SETTLING_TURNS = 3;

/**
 * Time as an argument: `advance()` makes the calls that fall due, in order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve } from "@twoway/websocket";
 * import { FakeClock, MemoryListener } from "@twoway/websocket/testing";
 *
 * const listener = new MemoryListener();
 * const server = await serve({ listener, keepalive: false }, {});
 * const clock = new FakeClock();
 * const session = await connect("ws://test/", { conn: listener.connect(), clock });
 * assertEquals(session.latency, undefined);
 * await clock.advance(25_000); // after so much silence it sends a ping
 * assertEquals(typeof session.latency, "number");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export class FakeClock implements Clock {
  #now = 0;
  readonly #calls = new Set<Call>();

  /** Calls that wait: 0 means that nothing keeps a program alive. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** Calls `callback` when `ms` milliseconds have passed. */
  schedule(ms: number, callback: () => void): unknown {
    const call = { at: this.#now + ms, callback };
    this.#calls.add(call);
    return call;
  }

  /** Forgets a call. */
  cancel(call: unknown): void {
    this.#calls.delete(call as Call);
  }

  /** Lets the event loop turn; no time passes. */
  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets `ms` milliseconds pass; promises settle between the calls. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#calls.delete(next);
      next.callback();
      await this.settle();
    }
    this.#now = end;
  }

  /** Time passes while nothing runs, as in a stopped process; what fell due is called afterwards. */
  async standStill(ms: number): Promise<void> {
    this.#now += ms;
    await this.advance(0);
  }

  /** Lets promises and the work that they start settle; no time passes. */
  async settle(): Promise<void> {
    for (let i = 0; i < SETTLING_TURNS; i++) await this.turn();
  }

  #next(end: number): Call | null {
    let first: Call | null = null;
    for (const call of this.#calls) {
      if (call.at <= end && (first === null || call.at < first.at)) first = call;
    }
    return first;
  }
}
