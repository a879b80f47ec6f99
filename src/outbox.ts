/**
 * A session's bytes on their way to its Conn: one write at a time, what gathers meanwhile leaves
 * with the next one, and a transport that takes nothing for too long is given up.
 *
 * @module
 */

import type { Timer, Timers } from "./clock.ts";
import type { Protocol } from "./core/protocol.ts";
import { READY } from "./ready.ts";
import type { Conn } from "./runtime/conn.ts";

/** What an {@linkcode Outbox} needs from its session. */
export interface OutboxOptions {
  readonly conn: Conn;
  readonly protocol: Protocol;
  readonly timers: Timers;
  /** Bytes of messages from which on senders wait. */
  readonly highWaterMark: number;
  /** Milliseconds for the transport to take one write of at most 256 KiB. */
  readonly stallTimeout: number;
  /** Whether more will be sent before long: then small writes wait for each other. */
  readonly isMoreComing: () => boolean;
  /** Everything has been written. */
  readonly onDrained: () => void;
  /** The transport does not take any more. */
  readonly onError: (error: unknown) => void;
  /** The transport took nothing for `stallTimeout`. */
  readonly onStall: () => void;
}

/** Those that write when the code that runs now is done: a broadcast's are many. */
const scheduled: Outbox[] = [];

let flushScheduled: () => void;

/** Drives a protocol's output into a Conn. */
export class Outbox {
  readonly #options: OutboxOptions;
  #isWriting = false;
  #isScheduled = false;
  #isDeferred = false;
  #ended = false;
  /** Senders that wait for the backlog to fall below the high-water mark. */
  #waiting: { promise: Promise<void>; resolve(): void; reject(error: unknown): void } | null = null;
  /** The message in the compressor that will call again when it is done. */
  #awaited: Promise<void> | null = null;
  #writeStarted = 0;
  #stallTimer: Timer | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Whether nothing is being written, or compressed in order to be. */
  get isIdle(): boolean {
    return !this.#isWriting && !this.#isScheduled && !this.#isDeferred &&
      this.#options.protocol.deflating === null;
  }

  /**
   * Writes what the protocol has when the code that runs now is done, so that its messages leave
   * together; if more is coming, once other work had its turn, unless {@linkcode Outbox.flush} is
   * called earlier.
   */
  schedule(): void {
    if (this.#isWriting || this.#isScheduled) return;
    if (this.#options.isMoreComing()) return this.#defer();
    this.#isScheduled = true;
    if (scheduled.push(this) === 1) queueMicrotask(flushScheduled);
  }

  static {
    flushScheduled = () => {
      // Also those that are scheduled meanwhile.
      for (const outbox of scheduled) outbox.#flushNow();
      scheduled.length = 0;
    };
  }

  /** Writes what the protocol has, now if nothing more is coming. */
  flush(): void {
    if (this.#options.isMoreComing()) this.#defer();
    else this.#flushNow();
  }

  #defer(): void {
    if (this.#isWriting || this.#isScheduled || this.#isDeferred) return;
    this.#isDeferred = true;
    this.#options.timers.turn().then(() => {
      this.#isDeferred = false;
      this.#flushNow();
    });
  }

  #flushNow(): void {
    this.#isScheduled = false;
    if (this.#ended) return;
    if (!this.#isWriting) this.#write();
    this.#awaitDeflater();
  }

  /** A long message is being compressed: what waits for it is written when that is done. */
  #awaitDeflater(): void {
    const { protocol, onError } = this.#options;
    const work = protocol.deflating;
    if (work === null || work === this.#awaited) return;
    this.#awaited = work;
    work.then(() => this.#flushNow(), (error) => this.#ended || onError(error));
  }

  /** Resolves once the backlog is below the high-water mark. */
  ready(): Promise<void> {
    if (this.#options.protocol.bufferedAmount < this.#options.highWaterMark) return READY;
    this.#waiting ??= createWaiting();
    return this.#waiting.promise;
  }

  /** Writes nothing more; those who wait are told `error`. */
  end(error: unknown): void {
    this.#ended = true;
    this.#stallTimer?.cancel();
    this.#stallTimer = null;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  /** Writes until the transport makes us wait, or there is nothing left. */
  #write(): void {
    const { conn, protocol } = this.#options;
    this.#isWriting = true;
    for (let bytes = protocol.takeOutput(); bytes !== null; bytes = protocol.takeOutput()) {
      let work: Promise<void> | void;
      try {
        work = conn.write(bytes);
      } catch (error) {
        return this.#failed(error);
      }
      if (work !== undefined) {
        this.#watch();
        work.then(this.#goOn, this.#failed);
        return;
      }
      this.#written();
      if (this.#shouldGather()) break;
    }
    this.#isWriting = false;
    this.#flushLater();
  }

  // Made once: a write costs no closure.
  readonly #goOn = (): void => {
    if (this.#ended) return;
    this.#written();
    this.#isWriting = false;
    if (this.#shouldGather()) this.#flushLater();
    else this.#write();
  };

  readonly #failed = (error: unknown): void => {
    if (!this.#ended) this.#options.onError(error);
  };

  #flushLater(): void {
    const { protocol, onDrained } = this.#options;
    if (protocol.hasOutput) this.#defer();
    else onDrained();
  }

  #written(): void {
    this.#options.protocol.outputWritten();
    this.#release();
  }

  /** Where a write costs no wait, each answer would otherwise leave in one of its own. */
  #shouldGather(): boolean {
    const { protocol, highWaterMark, isMoreComing } = this.#options;
    return isMoreComing() && protocol.bufferedAmount < highWaterMark;
  }

  #release(): void {
    const { protocol, highWaterMark } = this.#options;
    if (this.#waiting === null || protocol.bufferedAmount >= highWaterMark) return;
    this.#waiting.resolve();
    this.#waiting = null;
  }

  /** One timer outlives many writes: it looks at the write that is under way when it fires. */
  #watch(): void {
    this.#writeStarted = this.#options.timers.now();
    if (this.#stallTimer === null) this.#armStall(this.#options.stallTimeout);
  }

  #armStall(ms: number): void {
    this.#stallTimer = this.#options.timers.set(ms, () => this.#checkStall());
  }

  #checkStall(): void {
    this.#stallTimer = null;
    if (!this.#isWriting) return;
    const { timers, stallTimeout, onStall } = this.#options;
    const left = stallTimeout - (timers.now() - this.#writeStarted);
    if (left > 0) this.#armStall(left);
    else onStall();
  }
}

function createWaiting(): { promise: Promise<void>; resolve(): void; reject(e: unknown): void } {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {}); // nobody has to wait for what was sent
  return { promise, resolve, reject };
}
