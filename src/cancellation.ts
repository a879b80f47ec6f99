/**
 * Why a handshake must not go on.
 *
 * @module
 */

/** Like an `AbortController`, which is made only for those who need its signal: it costs much. */
export class Cancellation {
  #cause: { readonly reason: unknown } | null = null;
  #controller: AbortController | null = null;

  /** Whether the handshake is over. */
  get isCancelled(): boolean {
    return this.#cause !== null;
  }

  /** The same as a signal. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#cause !== null) this.#controller.abort(this.#cause.reason);
    }
    return this.#controller.signal;
  }

  /** The handshake is over; only the first reason counts. */
  cancel(reason: unknown): void {
    if (this.#cause !== null) return;
    this.#cause = { reason };
    this.#controller?.abort(reason);
  }

  /** Throws the reason if there is one. */
  check(): void {
    if (this.#cause !== null) throw this.#cause.reason;
  }
}
