/**
 * A session's bytes on their way from its Conn: pushed where the Conn can, else read one by one; and
 * held back while the session is not ready for more.
 *
 * @module
 */

import type { Conn, ConnFlow, ConnSink } from "./runtime/conn.ts";

/** What an {@linkcode Intake} needs of its session. */
export interface IntakeOwner {
  readonly conn: Conn;
  /** Whether the session is not ready for more, and still needs the last bytes. */
  readonly isHolding: boolean;
  /** Bytes have arrived. */
  onBytes(bytes: Uint8Array): void;
  /** Reading goes on after it was held back. */
  onReading(): void;
  onEndOfStream(): void;
  /** The connection has broken, or the session with it. */
  onReadError(error: unknown): void;
}

/** The reading half of a session. */
export class Intake implements ConnSink {
  readonly #owner: IntakeOwner;
  #flow: ConnFlow | null = null;
  /** At first it has not begun. */
  #isHeld = true;
  #isOver = false;

  constructor(owner: IntakeOwner) {
    this.#owner = owner;
  }

  /** Whether bytes that may be there are left unread. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Begins to read. */
  start(): void {
    const { conn } = this.#owner;
    this.#isHeld = false;
    this.#flow = conn.push === undefined ? new Reading(conn, this) : conn.push(this);
  }

  /** See {@linkcode ConnSink.data}. */
  data(bytes: Uint8Array): boolean {
    if (this.#isOver) return false;
    const owner = this.#owner;
    try {
      owner.onBytes(bytes);
      this.#isHeld = owner.isHolding;
    } catch (error) {
      this.stop();
      owner.onReadError(error);
    }
    return !this.#isHeld && !this.#isOver;
  }

  /** See {@linkcode ConnSink.end}. */
  end(): void {
    if (this.#isOver) return;
    this.stop();
    this.#owner.onEndOfStream();
  }

  /** See {@linkcode ConnSink.fail}. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.stop();
    this.#owner.onReadError(error);
  }

  /** Goes on if the session is ready again. */
  advance(): void {
    const flow = this.#flow;
    if (!this.#isHeld || flow === null || this.#isOver || this.#owner.isHolding) return;
    this.#isHeld = false;
    this.#owner.onReading();
    flow.resume();
  }

  /** Takes nothing more. */
  stop(): void {
    this.#isOver = true;
  }
}

/** Pushes what a Conn reads. */
class Reading implements ConnFlow {
  readonly #conn: Conn;
  readonly #sink: ConnSink;

  constructor(conn: Conn, sink: ConnSink) {
    this.#conn = conn;
    this.#sink = sink;
    this.resume();
  }

  resume(): void {
    this.#conn.read().then(this.#received, this.#failed);
  }

  // Made once: a read costs no closure.
  readonly #received = (bytes: Uint8Array | null): void => {
    if (bytes === null) this.#sink.end();
    else if (this.#sink.data(bytes)) this.resume();
  };

  readonly #failed = (error: unknown): void => this.#sink.fail(error);
}
