/**
 * The fast codecs: small messages at once, on handles that are borrowed for the span of a message;
 * long ones in slices, between which the event loop turns.
 *
 * @module
 */

import { concat } from "./bytes.ts";
import {
  type CodecEngine,
  type CodecOptions,
  type DeflateOptions,
  FLUSH_TAIL,
  type MessageDeflater,
  type MessageInflater,
  type Sink,
} from "./deflate.ts";
import { ZlibHandle } from "./zlib_handle.ts";

/** Bytes that come out in a row before others get their turn: a millisecond or two. */
const INFLATED_SLICE = 131_072;

/** Bytes that are compressed in a row: a few milliseconds at levels that differ by a factor of ten. */
function sliceSize(level: number): number {
  return level <= 3 ? 65_536 : level <= 6 ? 32_768 : 8192;
}

/** Where all codecs put their output, since each is done with it before the next one begins. */
const OUTPUT = new Uint8Array(65_536);

/** Where nothing should come out. */
const NO_OUTPUT = new Uint8Array(16);

/** A flush, the end of the stream, and a byte that is left over if all is well. */
const PROBE = Uint8Array.of(...FLUSH_TAIL, 0x01, 0x00, 0x00, 0xff, 0xff, 0x2a);

/** Handles that nobody uses are kept up to this number; each holds up to 256 KiB. */
const MAX_IDLE = 16;

/** Handles that wait for their next message. */
export class HandlePool {
  readonly #idle = new Map<string, ZlibHandle[]>();
  #idleCount = 0;
  #openCount = 0;

  /** Handles in existence, those that wait included. */
  get open(): number {
    return this.#openCount;
  }

  /** A handle in its first state. */
  borrow(key: string, open: () => ZlibHandle): ZlibHandle {
    const handle = this.#idle.get(key)?.pop();
    if (handle !== undefined) {
      this.#idleCount--;
      return handle;
    }
    this.#openCount++;
    return open();
  }

  /** Takes back a handle that has worked well. */
  giveBack(key: string, handle: ZlibHandle): void {
    if (this.#idleCount >= MAX_IDLE) return this.discard(handle);
    handle.reset();
    const waiting = this.#idle.get(key);
    if (waiting === undefined) this.#idle.set(key, [handle]);
    else waiting.push(handle);
    this.#idleCount++;
  }

  /** Closes a handle that has failed, or that knows what nobody else may. */
  discard(handle: ZlibHandle): void {
    this.#openCount--;
    handle.close();
  }

  /** Closes the handles that wait. */
  drain(): void {
    for (const handles of this.#idle.values()) handles.forEach((handle) => this.discard(handle));
    this.#idle.clear();
    this.#idleCount = 0;
  }
}

/** The handles of this process. */
export const sharedHandles: HandlePool = new HandlePool();

/** What handles have in common that can take each other's place. */
interface Kind {
  readonly key: string;
  readonly open: () => ZlibHandle;
}

/** Shared, so that an idle codec costs little: one for each combination of settings. */
const kinds = new Map<string, Kind>();

function deflateKind({ level, windowBits, memLevel }: DeflateOptions): Kind {
  const key = `deflate ${level} ${windowBits} ${memLevel}`;
  const open = (): ZlibHandle => ZlibHandle.deflate({ level, windowBits, memLevel });
  return kinds.get(key) ?? addKind({ key, open });
}

function inflateKind(windowBits: number): Kind {
  const key = `inflate ${windowBits}`;
  return kinds.get(key) ?? addKind({ key, open: () => ZlibHandle.inflate(windowBits) });
}

function addKind(kind: Kind): Kind {
  kinds.set(kind.key, kind);
  return kind;
}

/** A handle that a codec holds for one message, or for all of them. */
class Lease {
  readonly #kind: Kind;
  readonly #keeps: boolean;
  #handle: ZlibHandle | null = null;
  #isClosed = false;

  constructor(kind: Kind, keeps: boolean) {
    this.#kind = kind;
    this.#keeps = keeps;
  }

  get handle(): ZlibHandle {
    if (this.#isClosed) throw new Error("The codec is closed");
    return this.#handle ??= sharedHandles.borrow(this.#kind.key, this.#kind.open);
  }

  /** The message is complete. */
  done(): void {
    if (this.#keeps || this.#handle === null) return;
    sharedHandles.giveBack(this.#kind.key, this.#handle);
    this.#handle = null;
  }

  reset(): void {
    this.#handle?.reset();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#handle !== null) sharedHandles.discard(this.#handle);
    this.#handle = null;
  }
}

class SyncDeflater implements MessageDeflater {
  readonly #lease: Lease;
  readonly #turn: () => Promise<void>;
  readonly #slice: number;

  constructor(options: DeflateOptions & CodecOptions) {
    this.#lease = new Lease(deflateKind(options), options.keepsContext);
    this.#turn = options.turn;
    this.#slice = sliceSize(options.level);
  }

  deflate(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (bytes.length > 2 * this.#slice) return this.#deflateLong(new Uint8Array(bytes));
    const { handle } = this.#lease;
    const size = handle.write(bytes, 0, OUTPUT, true);
    let result = OUTPUT.subarray(0, size);
    if (size === OUTPUT.length) {
      const pieces = [result.slice()];
      drain(handle, bytes, pieces, true);
      result = concat(pieces);
    }
    this.#lease.done();
    return withoutTail(result);
  }

  async #deflateLong(bytes: Uint8Array): Promise<Uint8Array> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < bytes.length; at += this.#slice) {
      await this.#turn();
      const isLast = at + this.#slice >= bytes.length;
      const { handle } = this.#lease;
      const slice = bytes.subarray(at, at + this.#slice);
      const size = handle.write(slice, 0, OUTPUT, isLast);
      pieces.push(OUTPUT.slice(0, size));
      if (size === OUTPUT.length) drain(handle, slice, pieces, isLast);
    }
    this.#lease.done();
    return withoutTail(concat(pieces));
  }

  reset(): void {
    this.#lease.reset();
  }

  close(): void {
    this.#lease.close();
  }
}

/** Collects what did not fit into the first output. */
function drain(
  handle: ZlibHandle,
  input: Uint8Array,
  pieces: Uint8Array<ArrayBuffer>[],
  flush: boolean,
): void {
  let size = OUTPUT.length;
  while (size === OUTPUT.length) {
    size = handle.write(input, input.length - handle.inputLeft, OUTPUT, flush);
    pieces.push(OUTPUT.slice(0, size));
  }
}

function withoutTail(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length - FLUSH_TAIL.length);
}

/** What is being inflated in one call. */
interface Work {
  readonly bytes: Uint8Array;
  at: number;
  readonly isLast: boolean;
  readonly sink: Sink;
}

class SyncInflater implements MessageInflater {
  readonly #lease: Lease;
  readonly #keeps: boolean;
  readonly #turn: () => Promise<void>;
  /** Bytes of the current message that have come in, and pieces of it that have come out. */
  #taken = 0;
  #pieces = 0;

  constructor(
    { windowBits, keepsContext, turn }: { readonly windowBits: number } & CodecOptions,
  ) {
    this.#lease = new Lease(inflateKind(windowBits), keepsContext);
    this.#keeps = keepsContext;
    this.#turn = turn;
  }

  inflate(bytes: Uint8Array, isLast: boolean, sink: Sink): void | Promise<void> {
    const work = { bytes, at: 0, isLast, sink };
    this.#taken += bytes.length;
    if (!this.#advance(work)) return this.#goOn(work);
  }

  async #goOn(work: Work): Promise<void> {
    do await this.#turn(); while (!this.#advance(work));
  }

  /** Inflates for a while; returns whether all is done. */
  #advance(work: Work): boolean {
    try {
      for (let budget = INFLATED_SLICE; budget > 0; budget -= OUTPUT.length) {
        if (this.#step(work)) return true;
      }
      return false;
    } catch (error) {
      this.#lease.close();
      throw error;
    }
  }

  /** Fills the output once; returns whether all is done. */
  #step(work: Work): boolean {
    const { handle } = this.#lease;
    const { bytes, isLast, sink } = work;
    const size = handle.write(bytes, work.at, OUTPUT, true);
    const left = handle.inputLeft;
    work.at = bytes.length - left;
    const isDone = size < OUTPUT.length && left === 0;
    if (size > 0) sink(OUTPUT.subarray(0, size), isDone && isLast && this.#pieces === 0);
    this.#pieces++;
    if (isDone && isLast) this.#finish(handle);
    // A block with BFINAL ends the stream (RFC 7692 section 7.2.3.4); what follows is a new one.
    if (!isDone && size < OUTPUT.length) handle.reset();
    return isDone;
  }

  /** Adds what was left out on the wire, and sees whether the message ended between two blocks. */
  #finish(handle: ZlibHandle): void {
    const isEmpty = this.#taken === 0;
    this.#taken = 0;
    this.#pieces = 0;
    if (isEmpty) return this.#lease.done(); // no block at all: nothing that a flush could end
    const tail = this.#keeps ? FLUSH_TAIL : PROBE;
    const size = handle.write(tail, 0, NO_OUTPUT, true);
    const left = handle.inputLeft;
    const hadEnded = left === tail.length;
    // The probe's last byte is left over where the stream has reached its end.
    if (size > 0 || (!hadEnded && left !== (this.#keeps ? 0 : 1))) {
      throw new Error("the message ends inside a block");
    }
    if (hadEnded && this.#keeps) handle.reset();
    this.#lease.done();
  }

  close(): void {
    this.#lease.close();
  }
}

/** Codecs on {@linkcode ZlibHandle}s. */
export const syncEngine: CodecEngine = {
  createDeflater: (options) => new SyncDeflater(options),
  createInflater: (options) => new SyncInflater(options),
};
