/**
 * The bytes that wait to be written, in as few pieces as possible: what is appended while a piece
 * is open leaves with it in one write.
 *
 * @module
 */

import { createBuffer, POOLED_SIZE, sharedBuffers } from "./buffer_pool.ts";

/** The most bytes that one {@linkcode ByteQueue.take} hands out: 256 KiB. */
export const MAX_WRITE_SIZE: number = POOLED_SIZE;

/** A piece of the queue's own has room for this many bytes at first. */
const FIRST_CAPACITY = 512;

/** Shared bytes shorter than this leave together with what stands before or behind them. */
const SHARE_FROM = 16_384;

interface Piece {
  bytes: Uint8Array;
  /** Bytes filled. */
  used: number;
  /** What {@linkcode ByteQueue.payloadSize} counts for this piece. */
  payload: number;
  /** Nothing may be appended: shared with others, or partly written. */
  sealed: boolean;
  /** Short bytes that are shared, and are copied as soon as something follows them. */
  lent: boolean;
  /** The bytes are a buffer of the pool. */
  pooled: boolean;
  /** The piece begins inside a frame. */
  inside: boolean;
  next: Piece | null;
}

/** A queue of bytes, filled at the end in place and taken from the front. */
export class ByteQueue {
  /** The pieces, each linked to the next: in an array the first of many costs a move of all others. */
  #first: Piece | null = null;
  #last: Piece | null = null;
  /** Bytes of the first piece that have left. */
  #sent = 0;
  /** Bytes of the first piece handed out by `take()` and not yet reported by `taken()`. */
  #underWay = 0;
  #payloadSize = 0;
  #size = 0;

  /** Bytes in the queue, of frames and all. */
  get size(): number {
    return this.#size;
  }

  /** Message bytes in the queue, without framing; a message counts until all of it has left. */
  get payloadSize(): number {
    return this.#payloadSize;
  }

  /** Whether nothing is left to write. */
  get isEmpty(): boolean {
    return this.#first === null;
  }

  /** Whether bytes may go in front without landing inside a frame. */
  get isAtBoundary(): boolean {
    return this.#sent === 0 && this.#underWay === 0 && this.#first?.inside !== true;
  }

  /**
   * Room for `size` bytes at the end of the queue. The caller fills `tail` from the returned
   * position, at once. `payload` is what these bytes add to {@linkcode ByteQueue.payloadSize};
   * `inside` says that they go on with the frame whose beginning was appended last, in a piece that
   * nothing joins.
   */
  reserve(size: number, payload: number, inside: boolean = false): number {
    const last = this.#last;
    if (last !== null && last.lent) own(last);
    const piece = last !== null && fits(last, size) ? last : this.#open(size, inside);
    if (piece.used + size > piece.bytes.length) grow(piece, piece.used + size);
    const at = piece.used;
    piece.used += size;
    piece.payload += payload;
    this.#count(size, payload);
    return at;
  }

  /** The buffer in which {@linkcode ByteQueue.reserve} has just made room. */
  get tail(): Uint8Array {
    return this.#last!.bytes;
  }

  /**
   * Appends bytes that stay unchanged and may stand in other queues too: long ones are not copied,
   * short ones only where others stand before or behind them.
   */
  appendShared(bytes: Uint8Array, payload: number): void {
    const isLong = bytes.length >= SHARE_FROM;
    const last = this.#last;
    if (last !== null && last.lent && last.used + bytes.length <= MAX_JOINED) {
      last.bytes = join(last.bytes, bytes);
      last.used = last.bytes.length;
      last.payload += payload;
      this.#count(bytes.length, payload);
      return;
    }
    if (!isLong && this.#first !== null) {
      const at = this.reserve(bytes.length, payload);
      this.tail.set(bytes, at);
      return;
    }
    const lent = !isLong;
    this.#append({
      bytes,
      used: bytes.length,
      payload,
      sealed: true,
      lent,
      pooled: false,
      inside: false,
      next: null,
    });
    this.#count(bytes.length, payload);
  }

  /** Puts whole frames in front of everything; only while {@linkcode ByteQueue.isAtBoundary}. */
  prepend(bytes: Uint8Array): void {
    const first = this.#first;
    const { length } = bytes;
    this.#count(length, 0);
    if (first === null || first.used >= SHARE_FROM || first.used + length > MAX_WRITE_SIZE) {
      const piece = {
        bytes,
        used: length,
        payload: 0,
        sealed: true,
        lent: false,
        pooled: false,
        inside: false,
        next: first,
      };
      this.#first = piece;
      this.#last ??= piece;
      return;
    }
    if (first.lent) own(first);
    // A short piece moves behind the prepended bytes, so that both leave in one write.
    if (first.used + length > first.bytes.length) grow(first, first.used + length);
    first.bytes.copyWithin(length, 0, first.used);
    first.bytes.set(bytes);
    first.used += length;
  }

  /**
   * The next bytes to write, at most {@linkcode MAX_WRITE_SIZE}, or `null`. They stay unchanged
   * until {@linkcode ByteQueue.taken} says that they have left; call that before the next `take()`.
   */
  take(): Uint8Array | null {
    const piece = this.#first;
    if (piece === null) return null;
    piece.sealed = true;
    piece.lent = false;
    const end = Math.min(piece.used, this.#sent + MAX_WRITE_SIZE);
    this.#underWay = end - this.#sent;
    if (this.#underWay === piece.bytes.length) return piece.bytes;
    return piece.bytes.subarray(this.#sent, end);
  }

  /** The bytes handed out by the last {@linkcode ByteQueue.take} have left; if none, nothing. */
  taken(): void {
    const piece = this.#first;
    if (piece === null) return;
    this.#sent += this.#underWay;
    this.#size -= this.#underWay;
    this.#underWay = 0;
    if (this.#sent < piece.used) return;
    this.#payloadSize -= piece.payload;
    this.#first = piece.next;
    if (this.#first === null) this.#last = null;
    this.#sent = 0;
    if (piece.pooled) sharedBuffers.put(piece.bytes);
  }

  /** Forgets everything, which may still be under way. */
  abandon(): void {
    for (let piece = this.#first; piece !== null; piece = piece.next) {
      if (piece.pooled) sharedBuffers.forget(piece.bytes);
    }
    this.#first = null;
    this.#last = null;
    this.#sent = 0;
    this.#underWay = 0;
    this.#payloadSize = 0;
    this.#size = 0;
  }

  #count(size: number, payload: number): void {
    this.#size += size;
    this.#payloadSize += payload;
  }

  #open(size: number, inside: boolean): Piece {
    const { bytes, pooled } = takeBuffer(size, inside);
    const piece = {
      bytes,
      used: 0,
      payload: 0,
      sealed: inside, // what comes behind a long frame may have to wait for pongs
      lent: false,
      pooled,
      inside,
      next: null,
    };
    this.#append(piece);
    return piece;
  }

  #append(piece: Piece): void {
    if (this.#last === null) this.#first = piece;
    else this.#last.next = piece;
    this.#last = piece;
  }
}

/** While so many long buffers of the pool are in use, the rest of a long frame gets others. */
const MAX_FOR_LONG_FRAMES = 12;

/** Shared bytes up to this length are joined, and shared again. */
const MAX_JOINED = 2048;

/** The last that were joined: several messages to all sessions are the same to each of them. */
let joined = { left: new Uint8Array(0), right: new Uint8Array(0), both: new Uint8Array(0) };

function join(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left === joined.left && right === joined.right) return joined.both;
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  joined = { left, right, both } as typeof joined;
  return both;
}

/** A buffer of the pool, if there is one that is large enough; long frames leave some to others. */
function takeBuffer(size: number, inside: boolean): { bytes: Uint8Array; pooled: boolean } {
  const isTaken = inside && sharedBuffers.usedLong >= MAX_FOR_LONG_FRAMES;
  const buffer = isTaken ? null : sharedBuffers.take(size);
  if (buffer !== null) return { bytes: buffer, pooled: true };
  return { bytes: createBuffer(Math.max(size, FIRST_CAPACITY)), pooled: false };
}

/** Moves shared bytes to a buffer of the queue's own, in which others may follow. */
function own(piece: Piece): void {
  const { bytes, pooled } = takeBuffer(piece.used, false);
  bytes.set(piece.bytes);
  piece.bytes = bytes;
  piece.pooled = pooled;
  piece.lent = false;
  piece.sealed = false;
}

function fits({ sealed, used }: Piece, size: number): boolean {
  return !sealed && used + size <= MAX_WRITE_SIZE;
}

/** Makes room in a piece of the queue's own. */
function grow(piece: Piece, needed: number): void {
  const old = piece.bytes;
  const buffer = sharedBuffers.take(needed);
  piece.bytes = buffer ??
    createBuffer(Math.min(MAX_WRITE_SIZE, Math.max(needed, old.length * 2)));
  piece.bytes.set(old.subarray(0, piece.used));
  if (piece.pooled) sharedBuffers.put(old);
  piece.pooled = buffer !== null;
}
