/**
 * Buffers for output that leaves within a moment, used again and again. A buffer has one owner at any
 * time: it is taken out of the pool, and put back when everything in it has left; one whose bytes may
 * still be under way when the owner goes is never put back, so that no byte reaches another peer.
 *
 * @module
 */

/** Bytes of each buffer: as much as is written at once. */
export const POOLED_SIZE = 262_144;

/** Buffers in existence: whoever finds none makes do with one of its own. */
const MAX_BUFFERS = 16;

/** Buffers of {@linkcode POOLED_SIZE} bytes. */
export class BufferPool {
  readonly #idle: Uint8Array[] = [];
  #count = 0;

  /** A buffer, whatever is in it, or `null` if all are in use. */
  take(): Uint8Array | null {
    const buffer = this.#idle.pop();
    if (buffer !== undefined) return buffer;
    if (this.#count === MAX_BUFFERS) return null;
    this.#count++;
    return new Uint8Array(POOLED_SIZE);
  }

  /** Puts a buffer back that nobody else will read or write. */
  put(buffer: Uint8Array): void {
    this.#idle.push(buffer);
  }

  /** A buffer that was taken will not come back. */
  forget(): void {
    this.#count--;
  }

  /** Buffers that somebody owns now. */
  get used(): number {
    return this.#count - this.#idle.length;
  }
}

/** The buffers of this process. */
export const sharedBuffers: BufferPool = new BufferPool();
