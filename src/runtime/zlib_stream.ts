/**
 * The fallback: codecs on the documented streams of `node:zlib`. Correct everywhere and slower,
 * since every message waits for the thread pool.
 *
 * @module
 */

import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
} from "node:zlib";
import { concat } from "./bytes.ts";
import {
  type CodecEngine,
  type CodecOptions,
  type DeflateOptions,
  FLUSH_TAIL,
  type MessageDeflater,
  type MessageInflater,
  type Sink,
  zlibWindowBits,
} from "./deflate.ts";

/** The end of a stream, and a byte by which it is noticed: that byte is left over. */
const PROBE = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff, 0x2a);

class StreamDeflater implements MessageDeflater {
  readonly #options: DeflateOptions & CodecOptions;
  #stream: DeflateRaw | null = null;
  #isClosed = false;

  constructor(options: DeflateOptions & CodecOptions) {
    this.#options = options;
  }

  async deflate(message: Uint8Array): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error("The codec is closed");
    const bytes = new Uint8Array(message);
    const { level, memLevel, windowBits, keepsContext } = this.#options;
    this.#stream ??= createDeflateRaw({
      level,
      memLevel,
      windowBits: zlibWindowBits(windowBits),
    });
    const pieces: Uint8Array[] = [];
    await feed(this.#stream, bytes, (piece) => pieces.push(piece), this.#options.turn);
    if (!keepsContext) this.reset();
    const result = concat(pieces);
    return result.subarray(0, result.length - FLUSH_TAIL.length);
  }

  reset(): void {
    this.#stream?.destroy();
    this.#stream = null;
  }

  close(): void {
    this.#isClosed = true;
    this.reset();
  }
}

class StreamInflater implements MessageInflater {
  readonly #options: { readonly windowBits: number } & CodecOptions;
  #stream: InflateRaw | null = null;
  #isClosed = false;
  /** Bytes of the current message that have come in. */
  #taken = 0;

  constructor(options: { readonly windowBits: number } & CodecOptions) {
    this.#options = options;
  }

  async inflate(bytes: Uint8Array, isLast: boolean, sink: Sink): Promise<void> {
    try {
      this.#taken += bytes.length;
      await this.#inflateAll(bytes, (piece) => sink(piece, false));
      if (!isLast) return;
      const isEmpty = this.#taken === 0;
      this.#taken = 0;
      if (isEmpty) return; // no block at all: nothing that a flush could end
      await this.#inflateAll(FLUSH_TAIL, endsInside);
      if (!this.#options.keepsContext) await this.#finish();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A block with BFINAL ends a stream (RFC 7692 section 7.2.3.4); what follows is a new one. */
  async #inflateAll(bytes: Uint8Array, take: (piece: Uint8Array) => void): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#isClosed) throw new Error("The codec is closed");
      const hadStream = this.#stream !== null;
      const windowBits = zlibWindowBits(this.#options.windowBits);
      this.#stream ??= createInflateRaw({ windowBits });
      const used = await feed(this.#stream, rest, take, this.#options.turn);
      if (used === null) return;
      this.#reset();
      // The flush behind an ended stream belongs to that stream.
      if (bytes === FLUSH_TAIL && used === 0 && hadStream) return;
      rest = rest.subarray(used);
    }
  }

  /** Where a block may begin, one with BFINAL ends the stream. */
  async #finish(): Promise<void> {
    if (this.#stream === null) return;
    const used = await feed(this.#stream, PROBE, endsInside, this.#options.turn);
    if (used !== PROBE.length - 1) endsInside();
    this.#reset();
  }

  #reset(): void {
    this.#stream?.destroy();
    this.#stream = null;
  }

  close(): void {
    this.#isClosed = true;
    this.#reset();
  }
}

function endsInside(): never {
  throw new Error("the message ends inside a block");
}

/**
 * Puts bytes through a stream up to a flush. Resolves with `null`, or with how many of them were
 * used if the stream has ended by itself. Rejects with the stream's error, and with what `take`
 * throws.
 */
function feed(
  stream: DeflateRaw | InflateRaw,
  bytes: Uint8Array,
  take: (piece: Uint8Array) => void,
  turn: () => Promise<void>,
): Promise<number | null> {
  const before = stream.bytesWritten;
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.removeAllListeners();
      stream.on("error", () => {}); // one that comes late says nothing new
      act();
    };
    stream.on("data", (piece: Uint8Array) => {
      try {
        take(piece);
      } catch (error) {
        settle(() => reject(error));
        stream.destroy();
      }
    });
    stream.once("error", (error) => settle(() => reject(error)));
    stream.once("end", () => settle(() => resolve(stream.bytesWritten - before)));
    stream.once("close", () => settle(() => reject(new Error("The codec is closed"))));
    stream.write(bytes);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      // Deno reports errors, and the end, after the flush.
      turn().then(() => settle(() => resolve(null)));
    });
  });
}

/** Codecs on documented streams. */
export const streamEngine: CodecEngine = {
  createDeflater: (options) => new StreamDeflater(options),
  createInflater: (options) => new StreamInflater(options),
};
