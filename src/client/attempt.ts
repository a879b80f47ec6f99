/**
 * What bounds connecting: the handshake's time and the caller's signal.
 *
 * @module
 */

import type { Timers } from "../clock.ts";
import { HandshakeError } from "../core/errors.ts";
import { TimeoutError } from "../errors.ts";

/** One call of `connect()`, until its session is open. */
export class Attempt {
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #timer: { cancel(): void };
  readonly #onAbort = (): void => this.#abort(this.#signal!.reason);
  #guarded: { close(): void } | null = null;

  constructor(ms: number, signal: AbortSignal | undefined, timers: Timers) {
    signal?.throwIfAborted();
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    const timedOut = new TimeoutError(`The handshake took more than ${ms} ms (handshakeTimeout)`);
    this.#timer = timers.set(ms, () => this.#abort(timedOut));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Closes this connection too when time is up, in place of the one before. */
  guard(conn: { close(): void }): void {
    this.#guarded = conn;
    if (this.signal.aborted) conn.close();
  }

  fail(): void {
    this.#guarded?.close();
  }

  /** Why connecting failed: a refusal is one even if there was no time for all of its body. */
  explain(error: unknown): unknown {
    const { aborted, reason } = this.signal;
    const isRefusal = error instanceof HandshakeError && error.status !== undefined;
    return aborted && !(isRefusal && reason instanceof TimeoutError) ? reason : error;
  }

  end(): void {
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  #abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#guarded?.close();
  }
}
