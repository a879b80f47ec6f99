/**
 * Turns the events of a server that pushes connections into `accept()`.
 *
 * @module
 */

import type { Conn } from "./conn.ts";

/**
 * No more connections wait than this: each holds a descriptor and memory, and no time limit applies to it
 * yet. So many come only from a flood, or to a server that was held up.
 */
const MAX_WAITING = 10_000;

/** Connections that have been accepted by the system and not taken yet. */
export class AcceptQueue {
  readonly #conns: Conn[] = [];
  #taker: ((conn: Conn | null) => void) | null = null;
  /** Connections that found no room, and that nobody has been told of. */
  #dropped = 0;
  #isClosed = false;

  /** A connection has come in. It is closed if there is no room for it, or the queue is closed. */
  push(conn: Conn): void {
    if (this.#isClosed) return conn.close();
    if (this.#conns.length >= MAX_WAITING) {
      this.#dropped++;
      return conn.close();
    }
    const taker = this.#taker;
    this.#taker = null;
    if (taker === null) this.#conns.push(conn);
    else taker(conn);
  }

  /**
   * The next connection, or `null` once the queue is closed. Rejects if some had no room: when none waits
   * any more, because whoever is told that accepting failed waits before the next try.
   */
  accept(): Promise<Conn | null> {
    if (this.#isClosed) return Promise.resolve(null);
    const conn = this.#conns.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    if (this.#dropped > 0) return Promise.reject(this.#overflow());
    return new Promise((resolve) => this.#taker = resolve);
  }

  /** Drops the connections that nobody has taken. Returns whether it was open. */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#taker?.(null);
    this.#taker = null;
    for (const conn of this.#conns.splice(0)) conn.close();
    return true;
  }

  #overflow(): Error {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return new Error(`Closed ${dropped} new connections: ${MAX_WAITING} waited to be accepted`);
  }
}
