/**
 * DEFLATE, synchronously and with a memory of its own, on the handle behind a `node:zlib` stream.
 * It is the same on Deno, Bun and Node but not documented, so zlib.ts tests it before it is used.
 *
 * @module
 */

import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { type DeflateOptions, zlibWindowBits } from "./deflate.ts";

/** What the runtimes have in common behind a zlib stream. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputSize: number,
    output: Uint8Array,
    outputAt: number,
    outputSize: number,
  ): void;
  reset(): void;
}

interface ZlibStream {
  readonly _handle: Handle;
  /** Bytes left in the output and in the input after a `writeSync()`. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/** One DEFLATE stream, to be used by one caller at a time. */
export class ZlibHandle {
  readonly #stream: ZlibStream;
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  #error: string | null = null;

  private constructor(stream: ZlibStream) {
    this.#stream = stream;
    this.#handle = stream._handle;
    this.#state = stream._writeState;
    this.#handle.onerror = (message) => this.#error = message;
  }

  /** A stream that compresses. */
  static deflate({ level, windowBits, memLevel }: DeflateOptions): ZlibHandle {
    const options = { level, windowBits: zlibWindowBits(windowBits), memLevel };
    return new ZlibHandle(createDeflateRaw(options) as unknown as ZlibStream);
  }

  /** A stream that inflates, with a window of 2^`windowBits` bytes. */
  static inflate(windowBits: number): ZlibHandle {
    const options = { windowBits: zlibWindowBits(windowBits) };
    return new ZlibHandle(createInflateRaw(options) as unknown as ZlibStream);
  }

  /** Bytes of the last call's input that were not taken. */
  get inputLeft(): number {
    return this.#state[1];
  }

  /**
   * Works on `input` from `at` until it is used up or `output` is full, and returns the number of
   * bytes put there. Throws for what is not DEFLATE; then the stream must be closed.
   */
  write(input: Uint8Array, at: number, output: Uint8Array, flush: boolean): number {
    const mode = flush ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH;
    this.#handle.writeSync(mode, input, at, input.length - at, output, 0, output.length);
    if (this.#error !== null) throw new Error(this.#error);
    return output.length - this.#state[0];
  }

  /** Starts anew: nothing refers to earlier bytes. */
  reset(): void {
    this.#handle.reset();
  }

  /** Frees the memory. */
  close(): void {
    this.#stream.close();
  }
}
