/**
 * What a DEFLATE codec for messages must do. Only types; zlib.ts makes codecs that do it.
 *
 * @module
 */

/** How to compress. */
export interface DeflateOptions {
  /** From 1, fast, to 9, small. */
  readonly level: number;
  /** The base-2 logarithm of the window, 8 to 15. */
  readonly windowBits: number;
  /** From 1 to 9: memory for the compressor's own tables. */
  readonly memLevel: number;
}

/** What is common to both directions. */
export interface CodecOptions {
  /** Whether a message may refer to the messages before it; costs memory until `close()`. */
  readonly keepsContext: boolean;
  /** Resolves after other work of the event loop had its turn. */
  readonly turn: () => Promise<void>;
}

/** Compresses messages; a call is made when the one before has returned, and its promise settled. */
export interface MessageDeflater {
  /**
   * The message's blocks, flushed to a byte boundary, less the `00 00 ff ff` at their end. The
   * result is valid until the next call of any codec. A promise stands for long messages, whose
   * `bytes` are taken as they are at the call; it rejects if the codec is closed meanwhile.
   */
  deflate(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Later messages refer to none of the earlier ones. */
  reset(): void;
  /** Frees the memory; the codec is not used again. */
  close(): void;
}

/** Takes a piece of what a message inflates to, valid for the call; `isWhole` if it is all. */
export type Sink = (piece: Uint8Array, isWhole: boolean) => void;

/** Inflates messages; a call is made when the one before has returned, and its promise settled. */
export interface MessageInflater {
  /**
   * Inflates the next bytes of a message; behind the last ones it adds `00 00 ff ff`. Throws, or
   * rejects, for what is not DEFLATE, for a message that ends inside a block, and with whatever
   * `sink` throws; then the codec is not used again. A promise stands where much comes out: then
   * `bytes` stay unchanged until it settles.
   */
  inflate(bytes: Uint8Array, isLast: boolean, sink: Sink): void | Promise<void>;
  /** Frees the memory; the codec is not used again. */
  close(): void;
}

/** A way to make codecs. */
export interface CodecEngine {
  /** A codec that compresses. */
  createDeflater(options: DeflateOptions & CodecOptions): MessageDeflater;
  /** A codec that inflates, with a window of 2^`windowBits` bytes. */
  createInflater(options: { readonly windowBits: number } & CodecOptions): MessageInflater;
}

/** What a sync flush ends in, and what is left out on the wire (RFC 7692 section 7.2.1). */
export const FLUSH_TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** zlib has no window of 2^8 bytes for raw DEFLATE; in its one of 2^9 no distance exceeds 250. */
export function zlibWindowBits(windowBits: number): number {
  return Math.max(9, windowBits);
}
