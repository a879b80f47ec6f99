/**
 * Streams of `node:http2`, which all three runtimes have, as {@linkcode Conn}s. Only its types are
 * imported: whoever has a stream has loaded it already.
 *
 * @module
 */

import type { Http2Session, Http2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Addr, Conn, ConnFlow, ConnSink } from "./conn.ts";
import { guardStream } from "./deno_http2.ts";
import type { Http2Field } from "./http2_client.ts";
import { Inflow } from "./inflow.ts";
import { remoteAddr } from "./node_peer.ts";

/** Error codes (RFC 9113 section 7). */
const NO_ERROR = 0;
const CANCEL = 8;

/**
 * A Conn over an HTTP/2 stream that nobody else reads or writes. A server's head has to be sent before
 * anything is written.
 */
export class Http2Conn implements Conn {
  readonly remoteAddr: Addr | undefined;
  readonly #stream: Http2Stream;
  readonly #inflow: Inflow;
  /** The peer has sent END_STREAM. */
  #hasEnded = false;
  /** Nothing we write arrives any more. */
  #isReset = false;
  #error: Error | undefined;
  #rejectWrite: ((error: Error) => void) | null = null;
  #isClosed = false;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
    const { session } = stream;
    this.remoteAddr = session && !session.destroyed ? remoteAddr(session.socket) : undefined;
    this.#inflow = new Inflow(stream);
    guardStream(stream);
    // Without a listener a reset would end the process.
    stream.on("error", (error: Error) => this.#error ??= error);
    stream.on("aborted", () => {
      // With NO_ERROR what came before is still there to be read.
      if (this.#resetCode === NO_ERROR) this.#stopWriting();
      else this.#broken();
    });
    stream.on("close", () => this.#broken());
    stream.on("end", () => {
      this.#hasEnded = true;
      this.#inflow.end();
    });
    if (stream.destroyed) this.#broken();
    else stream.on("data", (bytes: Uint8Array) => this.#inflow.receive(bytes));
  }

  read(): Promise<Uint8Array | null> {
    return this.#inflow.read();
  }

  push(sink: ConnSink): ConnFlow {
    return this.#inflow.push(sink);
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(this.#reason());
      this.#rejectWrite = reject;
      const timer = setTimeout(() => nudge(this.#stream.session), NUDGE);
      // Called once the peer's flow control has let all of it go.
      this.#stream.write(bytes, (error?: Error | null) => {
        clearTimeout(timer);
        if (error) reject(error);
        // Bun says so of bytes that are lost with the connection, too, just before it tells of that.
        queueMicrotask(() => {
          this.#rejectWrite = null;
          resolve();
        });
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(this.#reason());
      this.#stream.end((error?: Error | null) => error ? reject(error) : resolve());
    });
  }

  // "Orderly TCP-level closures are represented as END_STREAM flags ... RST exceptions are represented
  // with the RST_STREAM frame with the CANCEL error code" (RFC 8441 section 5)
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const stream = this.#stream;
    const isCut = this.#rejectWrite !== null || stream.readableLength > 0;
    const isReset = this.#isReset || (stream.session?.destroyed ?? true);
    this.#inflow.close();
    this.#stopWriting();
    if (stream.destroyed) return;
    // What the peer still sends is dropped: a stream that is not read would never be gone.
    stream.resume();
    if (isReset) return;
    const code = isCut ? CANCEL : NO_ERROR;
    // Later: from within an event of the stream it can end Deno's process (an assertion of nghttp2).
    setTimeout(() => this.#finish(code), 0);
  }

  /** Ends what has not ended. */
  #finish(code: number): void {
    const stream = this.#stream;
    // RST_STREAM on a stream that is over on both sides corrupts the memory of Deno 2.9.6, which then
    // crashes at the next GOAWAY.
    const { localClose, remoteClose } = stream.state;
    if (stream.destroyed || (localClose && remoteClose)) return;
    if (code === NO_ERROR && this.#hasEnded) stream.end();
    else stream.close(code);
  }

  get #resetCode(): number {
    return this.#stream.rstCode ?? NO_ERROR; // Bun has none before the end
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#isReset || this.#stream.destroyed || this.#stream.closed;
  }

  #broken(): void {
    const isReset = this.#error !== undefined || this.#resetCode !== NO_ERROR;
    this.#inflow.end(isReset ? this.#reason() : undefined);
    this.#stopWriting();
  }

  #stopWriting(): void {
    this.#isReset = true;
    this.#rejectWrite?.(this.#reason());
    this.#rejectWrite = null;
  }

  #reason(): Error {
    if (this.#error !== undefined) return this.#error;
    const code = this.#resetCode;
    return this.#isClosed || code === NO_ERROR
      ? new Error("The stream is closed")
      : new Error(`The HTTP/2 stream was reset with error code ${code}`);
  }
}

/** Milliseconds after which a write may need help. */
const NUDGE = 10;

/** Those whose PING has not been answered yet. */
const nudged = new WeakSet<Http2Session>();

/**
 * Bun keeps small writes of a stream to itself for as long as another stream of the connection waits
 * for its peer's flow control; whatever is sent for the connection itself takes them along.
 */
function nudge(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed || nudged.has(session)) return;
  nudged.add(session);
  try {
    session.ping(() => nudged.delete(session));
  } catch {
    nudged.delete(session); // it is about to go
  }
}

/** Names and values in turns, as `node:http2` gives them, as fields. */
export function toFields(raw: readonly string[]): Http2Field[] {
  const fields: Http2Field[] = [];
  for (let i = 0; i < raw.length; i += 2) fields.push([raw[i], raw[i + 1]]);
  return fields;
}

/** What is not to be joined to a list (RFC 6265 section 3, RFC 9113 section 8.2.3). */
const SINGLE = ["set-cookie", "cookie"];

/** Fields as `node:http2` takes them; it refuses to repeat some. */
export function toHeaders(fields: Iterable<Http2Field>): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of fields) {
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (SINGLE.includes(name)) headers[name] = [before, value].flat();
    else headers[name] = `${before}, ${value}`;
  }
  return headers;
}
