/**
 * Turns the events of a server that pushes connections into `accept()`.
 *
 * @module
 */

import type { Conn } from "./conn.ts";

/** Connections that have been accepted by the system and not taken yet. */
export class AcceptQueue {
  readonly #conns: Conn[] = [];
  #taker: ((conn: Conn | null) => void) | null = null;
  #isClosed = false;

  /** A connection has come in. */
  push(conn: Conn): void {
    if (this.#isClosed) {
      conn.close();
      return;
    }
    const taker = this.#taker;
    this.#taker = null;
    if (taker === null) this.#conns.push(conn);
    else taker(conn);
  }

  /** The next connection, or `null` once the queue is closed. */
  accept(): Promise<Conn | null> {
    if (this.#isClosed) return Promise.resolve(null);
    const conn = this.#conns.shift();
    if (conn !== undefined) return Promise.resolve(conn);
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
}
