/**
 * Buffers for output that leaves within a moment, used again and again. A buffer has one owner at any
 * time: it is taken out of the pool, and put back when everything in it has left; one whose bytes may
 * still be under way when the owner goes is never put back, so that no byte reaches another peer.
 *
 * @module
 */

/** Bytes of a long buffer: as much as is written at once. */
export const POOLED_SIZE = 262_144;

/** Bytes of a short buffer: the answers to one read, most often. */
export const SHORT_SIZE = 16_384;

/** Long and short buffers in existence: whoever finds none makes do with one of its own. */
const MAX_LONG = 16;
const MAX_SHORT = 64;

/**
 * Bytes in front of each buffer, unused. Long arrays begin where a page of memory does, most often, and a
 * frame's payload a few bytes behind the beginning of its buffer. Just there AMD's Zen 3 copies at a
 * twentieth of the speed: to 1 to 31 bytes further in a page than from (glibc's bug 30994).
 */
const MARGIN = 64;

/** Room for `size` bytes of frames, that payloads can be copied to at full speed. */
export function createBuffer(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(MARGIN + size), MARGIN);
}

/** Buffers of one size. */
class Shelf {
  readonly #size: number;
  readonly #max: number;
  readonly #idle: Uint8Array[] = [];
  #count = 0;

  constructor(size: number, max: number) {
    this.#size = size;
    this.#max = max;
  }

  take(): Uint8Array | null {
    const buffer = this.#idle.pop();
    if (buffer !== undefined) return buffer;
    if (this.#count === this.#max) return null;
    this.#count++;
    return createBuffer(this.#size);
  }

  put(buffer: Uint8Array): void {
    this.#idle.push(buffer);
  }

  forget(): void {
    this.#count--;
  }

  get used(): number {
    return this.#count - this.#idle.length;
  }
}

/** Buffers of {@linkcode SHORT_SIZE} and of {@linkcode POOLED_SIZE} bytes. */
export class BufferPool {
  readonly #long = new Shelf(POOLED_SIZE, MAX_LONG);
  readonly #short = new Shelf(SHORT_SIZE, MAX_SHORT);

  /** A buffer of at least `size` bytes, whatever is in it, or `null` if all such are in use. */
  take(size: number): Uint8Array | null {
    const short = size <= SHORT_SIZE ? this.#short.take() : null;
    return short ?? (size <= POOLED_SIZE ? this.#long.take() : null);
  }

  /** Puts a buffer back that nobody else will read or write. */
  put(buffer: Uint8Array): void {
    this.#shelf(buffer).put(buffer);
  }

  /** A buffer that was taken will not come back. */
  forget(buffer: Uint8Array): void {
    this.#shelf(buffer).forget();
  }

  /** Buffers that somebody owns now. */
  get used(): number {
    return this.#long.used + this.#short.used;
  }

  /** Long ones of them. */
  get usedLong(): number {
    return this.#long.used;
  }

  #shelf({ length }: Uint8Array): Shelf {
    return length === SHORT_SIZE ? this.#short : this.#long;
  }
}

/** The buffers of this process. */
export const sharedBuffers: BufferPool = new BufferPool();
