/**
 * A Conn whose next bytes can be looked at before anybody takes them: so that a handshake notices
 * that its client has left, and so that a read that was waited for in vain is not lost.
 *
 * @module
 */

import type { Cancellation } from "./cancellation.ts";
import { type Addr, type Conn, prepend } from "./runtime/conn.ts";

/** A Conn with one read ahead. */
export class LookaheadConn implements Conn {
  readonly #conn: Conn;
  #ahead: Promise<Uint8Array | null> | null = null;
  #hasReceived = false;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  /** Whether anything has arrived; under TLS, whether its handshake has succeeded. */
  get hasReceived(): boolean {
    return this.#hasReceived;
  }

  get remoteAddr(): Addr | undefined {
    return this.#conn.remoteAddr;
  }

  /**
   * What the next `read()` will return, left in place; calls before that share one read. Rejects as that
   * would, which each caller has to expect.
   */
  peek(): Promise<Uint8Array | null> {
    return this.#ahead ??= this.#conn.read();
  }

  /**
   * Takes what `peek()` has just resolved with; throws the reason, and leaves it to whoever reads then, if
   * there has been a cancellation.
   */
  takePeeked(cancellation: Cancellation): void {
    this.#hasReceived = true;
    cancellation.check();
    this.#ahead = null;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#ahead === null) return this.#conn.read();
    const ahead = this.#ahead;
    this.#ahead = null;
    return ahead;
  }

  /** Peeks and takes. */
  async readUnless(cancellation: Cancellation): Promise<Uint8Array | null> {
    const bytes = await this.peek();
    this.takePeeked(cancellation);
    return bytes;
  }

  /** The Conn itself, with what has been read ahead in front. */
  unwrap(): Conn {
    return this.#ahead === null ? this.#conn : prepend(this.#conn, this.#ahead);
  }

  write(bytes: Uint8Array): Promise<void> | void {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}
