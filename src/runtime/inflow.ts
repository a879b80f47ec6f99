/**
 * The events of a socket that pushes, for `read()` or a sink: what comes while nobody reads is kept,
 * and the socket is told to pause.
 *
 * @module
 */

import type { ConnFlow, ConnSink } from "./conn.ts";

/** How an {@linkcode Inflow} holds its socket back. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** A sink that holds back with so much to work on is not ready before long. */
const LARGE = 65_536;

/** The reading half of a Conn over events. */
export class Inflow implements ConnFlow {
  readonly #flow: Flow;
  readonly #release: ((bytes: Uint8Array) => void) | null;
  /** Received and not read: one chunk, or a few where the socket goes on for a moment. */
  readonly #chunks: Uint8Array[] = [];
  #reader: {
    resolve(bytes: Uint8Array | null): void;
    reject(error: unknown): void;
  } | null = null;
  /** Gets everything in place of `read()`, from when there is one until it knows of the end. */
  #sink: ConnSink | null = null;
  /** The sink has asked to wait. */
  #isHeld = false;
  #isPaused = false;
  /** No more chunks will come; `error` tells why, if that was not the peer's FIN. */
  #end: { readonly error: unknown } | null = null;
  #isClosed = false;

  /**
   * `release` gets what a sink was done with at once, where that is worth something. What it has held may
   * still be worked on by others, such as an inflater that nobody waits for any more.
   */
  constructor(flow: Flow, release: ((bytes: Uint8Array) => void) | null = null) {
    this.#flow = flow;
    this.#release = release;
  }

  /** The next chunk, or `null` at the end. */
  read(): Promise<Uint8Array | null> {
    if (this.#isClosed) return Promise.resolve(null);
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#end !== null) return this.#ended(this.#end.error);
    this.#unpause();
    return new Promise((resolve, reject) => this.#reader = { resolve, reject });
  }

  /** Gives everything to `sink` from now on; see {@linkcode Conn.push}. */
  push(sink: ConnSink): this {
    this.#sink = sink;
    this.resume();
    return this;
  }

  /** The sink is ready: first comes what has been kept. */
  resume(): void {
    const sink = this.#sink;
    if (sink === null) return;
    this.#isHeld = false;
    while (this.#chunks.length > 0) {
      this.#give(sink, this.#chunks.shift()!);
      if (this.#isHeld) return;
    }
    if (this.#end !== null || this.#isClosed) this.#tellEnd(sink);
    else this.#unpause();
  }

  /** Bytes arrived; they belong to the reader. */
  receive(bytes: Uint8Array): void {
    if (this.#isClosed || bytes.length === 0) return;
    if (this.#sink !== null && !this.#isHeld) {
      this.#give(this.#sink, bytes);
      // Most sinks are ready again before the next bytes come: one more chunk is kept, if need be.
      if (this.#isHeld && bytes.length >= LARGE) this.#pause();
      return;
    }
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader.resolve(bytes);
      return;
    }
    this.#chunks.push(bytes);
    // Somebody will ask before long, as a rule: to pause and go on costs more than to keep another chunk.
    if (this.#chunks.length > 1 || bytes.length >= LARGE) this.#pause();
  }

  #give(sink: ConnSink, bytes: Uint8Array): void {
    this.#isHeld = !sink.data(bytes);
    if (!this.#isHeld) this.#release?.(bytes);
  }

  /** The peer has sent FIN, or the connection broke with `error`. Only the first call counts. */
  end(error?: unknown): void {
    if (this.#end !== null) return;
    this.#end = { error };
    if (this.#sink !== null) {
      if (!this.#isHeld) this.#tellEnd(this.#sink);
      return;
    }
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) return;
    if (error === undefined) reader.resolve(null);
    else reader.reject(error);
  }

  /** We have closed the connection: what was not read is gone. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#chunks.length = 0;
    this.#reader?.resolve(null);
    this.#reader = null;
    if (this.#sink !== null && !this.#isHeld) this.#tellEnd(this.#sink);
  }

  /** Once, and never while the sink still waits. */
  #tellEnd(sink: ConnSink): void {
    if (this.#sink !== sink) return;
    this.#sink = null;
    const error = this.#isClosed ? undefined : this.#end?.error;
    if (error === undefined) sink.end();
    else sink.fail(error);
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#flow.pause();
  }

  #unpause(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow.resume();
  }

  #ended(error: unknown): Promise<null> {
    return error === undefined ? Promise.resolve(null) : Promise.reject(error);
  }
}
