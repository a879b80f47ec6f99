/**
 * Where a server's connections come from; and the loop that accepts them from a Listener, which
 * survives whatever goes wrong with single connections, and running out of descriptors.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import type { Arrival } from "./exchange.ts";
import type { Addr, Listener } from "./runtime/conn.ts";

/** A source of connections for one server. */
export interface Source {
  /** The address that clients connect to. */
  readonly addr: Addr;
  /** Hands every connection to `receive`; resolves when there will be no more. Never rejects. */
  run(receive: (arrival: Arrival) => void): Promise<void>;
  /** No more connections; those that have come stay open. Idempotent; never throws. */
  close(): void;
}

/** Connections accepted in a row before others have their turn. */
const ACCEPTS_PER_TURN = 4;

/** How long to wait before accepting again when that failed: from the first to the last, in ms. */
const BACKOFF = { first: 20, last: 1000 };

/** The connections of a Listener. */
export class AcceptLoop implements Source {
  readonly addr: Addr;
  readonly #listener: Listener;
  readonly #timers: Timers;
  readonly #onError: (error: unknown) => void;
  #isClosed = false;
  #wakeUp: (() => void) | null = null;

  /** `onError` is told when accepting fails. */
  constructor(listener: Listener, timers: Timers, onError: (error: unknown) => void) {
    this.addr = listener.addr;
    this.#listener = listener;
    this.#timers = timers;
    this.#onError = onError;
  }

  async run(receive: (arrival: Arrival) => void): Promise<void> {
    const isSecure = this.#listener.secure;
    let pause = BACKOFF.first;
    for (let count = 1; !this.#isClosed; count++) {
      try {
        const conn = await this.#listener.accept();
        if (conn === null) return;
        pause = BACKOFF.first;
        receive({ conn, isSecure });
        // Those who keep knocking must not starve those who are in.
        if (count % ACCEPTS_PER_TURN === 0) await this.#timers.sharedTurn();
      } catch (error) {
        this.#onError(error);
        await this.#sleep(pause);
        pause = Math.min(pause * 2, BACKOFF.last);
      }
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    this.#wakeUp?.();
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const timer = this.#timers.set(ms, resolve);
      this.#wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wakeUp = null;
  }
}
