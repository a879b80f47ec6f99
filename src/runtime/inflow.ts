/**
 * Turns the events of a socket that pushes into `read()`: what comes while nobody reads is kept, and
 * the socket is told to pause.
 *
 * @module
 */

/** How an {@linkcode Inflow} holds its socket back. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** The reading half of a Conn over events. */
export class Inflow {
  readonly #flow: Flow;
  /** Received and not read: one chunk, or a few where the socket goes on for a moment. */
  readonly #chunks: Uint8Array[] = [];
  #reader: {
    resolve(bytes: Uint8Array | null): void;
    reject(error: unknown): void;
  } | null = null;
  #isPaused = false;
  /** No more chunks will come; `error` tells why, if that was not the peer's FIN. */
  #end: { readonly error: unknown } | null = null;
  #isClosed = false;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  /** The next chunk, or `null` at the end. */
  read(): Promise<Uint8Array | null> {
    if (this.#isClosed) return Promise.resolve(null);
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#end !== null) return this.#ended(this.#end.error);
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#flow.resume();
    }
    return new Promise((resolve, reject) => this.#reader = { resolve, reject });
  }

  /** Bytes arrived; they belong to the reader. */
  push(bytes: Uint8Array): void {
    if (this.#isClosed || bytes.length === 0) return;
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader.resolve(bytes);
      return;
    }
    this.#chunks.push(bytes);
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#flow.pause();
  }

  /** The peer has sent FIN, or the connection broke with `error`. Only the first call counts. */
  end(error?: unknown): void {
    if (this.#end !== null) return;
    this.#end = { error };
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) return;
    if (error === undefined) reader.resolve(null);
    else reader.reject(error);
  }

  /** We have closed the connection: what was not read is gone. */
  close(): void {
    this.#isClosed = true;
    this.#chunks.length = 0;
    this.#reader?.resolve(null);
    this.#reader = null;
  }

  #ended(error: unknown): Promise<null> {
    return error === undefined ? Promise.resolve(null) : Promise.reject(error);
  }
}
