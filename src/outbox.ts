/**
 * A session's bytes on their way to its Conn: one write at a time, what gathers meanwhile leaves
 * with the next one, and a transport that takes nothing for too long is given up.
 *
 * @module
 */

import type { Timer, Timers } from "./clock.ts";
import type { Protocol } from "./core/protocol.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { READY } from "./ready.ts";
import type { Conn } from "./runtime/conn.ts";

/** What an {@linkcode Outbox} needs of its session. */
export interface OutboxOwner {
  readonly conn: Conn;
  readonly protocol: Protocol;
  readonly timers: Timers;
  readonly options: ResolvedSessionOptions;
  /** Whether more will be sent before long: then small writes wait for each other. */
  readonly isMoreComing: boolean;
  /** Everything has been written. */
  onDrained(): void;
  /** The transport does not take any more. */
  onWriteError(error: unknown): void;
  /** The transport did not take one write, of at most 256 KiB, within `writeStallTimeout`. */
  onStall(): void;
}

/** Those that write when the code that runs now is done: a broadcast's are many. */
const scheduled: Outbox[] = [];

/** How many of them have had their turn. */
let flushed = 0;

let flushScheduled: () => void;

let checkStall: (outbox: Outbox) => void;

/**
 * What is called when a write that takes its time is done: lent to one outbox after another, so that
 * neither a write nor an idle session costs closures.
 */
class Wait {
  outbox: Outbox | null = null;

  readonly written = (): void => this.#end().written();
  readonly failed = (error: unknown): void => this.#end().failed(error);

  #end(): Outbox {
    const outbox = this.outbox!;
    this.outbox = null;
    if (waits.length < MAX_WAITS) waits.push(this);
    return outbox;
  }
}

/** Those that wait for nothing. */
const waits: Wait[] = [];

/** More of them than this are not kept. */
const MAX_WAITS = 64;

/** Drives a protocol's output into a Conn. */
export class Outbox {
  readonly #owner: OutboxOwner;
  #state: "idle" | "scheduled" | "writing" | "ended" = "idle";
  /** Will write when other work had its turn, unless that has happened before. */
  #isDeferred = false;
  /** Senders that wait for the backlog to fall below the high-water mark. */
  #waiting: { promise: Promise<void>; resolve(): void; reject(error: unknown): void } | null = null;
  /** The message in the compressor that will call again when it is done. */
  #awaited: Promise<void> | null = null;
  #writeStarted = 0;
  /** The last write was one to wait for. */
  #hasWaited = false;
  #stallTimer: Timer | null = null;

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  /** Whether nothing is being written, or compressed in order to be. */
  get isIdle(): boolean {
    return this.#state === "idle" && !this.#isDeferred && this.#owner.protocol.deflating === null;
  }

  /**
   * Writes what the protocol has when the code that runs now is done, so that its messages leave
   * together; if more is coming, and there is room for it, once other work had its turn, unless
   * {@linkcode Outbox.flush} is called earlier.
   */
  schedule(): void {
    this.#awaitDeflater();
    if (this.#state !== "idle") return;
    if (this.#shouldGather()) return this.#defer();
    this.#state = "scheduled";
    if (scheduled.push(this) === 1) queueMicrotask(flushScheduled);
  }

  static {
    checkStall = (outbox) => outbox.#checkStall();
    flushScheduled = () => {
      try {
        while (flushed < scheduled.length) scheduled[flushed++].#flushNow();
      } finally {
        // A fault of one session must not hold up the others.
        if (flushed < scheduled.length) queueMicrotask(flushScheduled);
        else scheduled.length = flushed = 0;
      }
    };
  }

  /**
   * Writes what the protocol has, now if nothing more is coming. Where writes have to be waited for
   * anyway, those of all sessions that have read in this round go together: each part of the work then
   * finds its code still in the processor's cache (echoes on Deno: 4 to 14 % more).
   */
  flush(): void {
    const gathers = this.#shouldGather();
    if (this.#owner.protocol.hasOutput && (gathers || this.#hasWaited)) return this.schedule();
    this.#awaitDeflater();
    if (!gathers) this.#flushNow();
  }

  #defer(): void {
    if (this.#state !== "idle" || this.#isDeferred) return;
    this.#isDeferred = true;
    this.#owner.timers.sharedTurn().then(() => {
      this.#isDeferred = false;
      this.#flushNow();
    });
  }

  #flushNow(): void {
    if (this.#state === "ended") return;
    if (this.#state !== "writing") this.#write();
    this.#awaitDeflater();
  }

  /** A long message is being compressed: what waits for it is written when that is done. */
  #awaitDeflater(): void {
    const { protocol } = this.#owner;
    const work = protocol.deflating;
    if (work === null || work === this.#awaited) return;
    this.#awaited = work;
    work.then(() => this.#flushNow(), (error) => this.failed(error));
  }

  /** Resolves once the backlog is below the high-water mark. */
  ready(): Promise<void> {
    if (!this.isFull) return READY;
    this.#waiting ??= createWaiting();
    return this.#waiting.promise;
  }

  /** Whether senders have to wait. */
  get isFull(): boolean {
    const { protocol, options } = this.#owner;
    return protocol.backlog >= options.limits.sendHighWaterMark;
  }

  /** Writes nothing more; those who wait are told `why`. */
  end(why: () => Error): void {
    this.#state = "ended";
    this.#stallTimer?.cancel();
    this.#stallTimer = null;
    this.#waiting?.reject(why());
    this.#waiting = null;
  }

  /** Writes until the transport makes us wait, or there is nothing left. */
  #write(): void {
    const { conn, protocol } = this.#owner;
    this.#state = "writing";
    for (let bytes = protocol.takeOutput(); bytes !== null; bytes = protocol.takeOutput()) {
      let work: Promise<void> | void;
      try {
        work = conn.write(bytes);
      } catch (error) {
        return this.failed(error);
      }
      this.#hasWaited = work !== undefined;
      if (work !== undefined) {
        this.#watch();
        const wait = waits.pop() ?? new Wait();
        wait.outbox = this;
        // A promise of the runtime's own calls back once; what else has a then() might not.
        Promise.resolve(work).then(wait.written, wait.failed);
        return;
      }
      this.#written();
      // In this order: whether to gather means a look at the inbox, which a broadcast has no need of.
      if (!protocol.hasOutput || this.#shouldGather()) break;
    }
    if (this.#state === "writing") this.#state = "idle"; // else the write has ended everything
    this.#flushLater();
  }

  /** The write under way has ended. */
  written(): void {
    if (this.#state === "ended") return;
    this.#written();
    this.#state = "idle";
    if (this.#shouldGather()) this.#flushLater();
    else this.#write();
  }

  /** The transport takes no more. */
  failed(error: unknown): void {
    if (this.#state !== "ended") this.#owner.onWriteError(error);
  }

  #flushLater(): void {
    if (this.#owner.protocol.hasOutput) this.#defer();
    else this.#owner.onDrained();
  }

  #written(): void {
    this.#owner.protocol.outputWritten();
    this.#release();
  }

  /**
   * Whether small writes wait for each other. Not from the high-water mark on: who waits for room sends
   * nothing more before it is there.
   */
  #shouldGather(): boolean {
    return this.#owner.isMoreComing && !this.isFull;
  }

  #release(): void {
    if (this.#waiting === null || this.isFull) return;
    this.#waiting.resolve();
    this.#waiting = null;
  }

  /** One timer outlives many writes: it looks at the write that is under way when it fires. */
  #watch(): void {
    this.#writeStarted = this.#owner.timers.lately();
    if (this.#stallTimer === null) this.#armStall(this.#owner.options.writeStallTimeout);
  }

  #armStall(ms: number): void {
    this.#stallTimer = this.#owner.timers.set(ms, checkStall, this);
  }

  #checkStall(): void {
    this.#stallTimer = null;
    if (this.#state !== "writing") return;
    const { timers, options } = this.#owner;
    const left = options.writeStallTimeout - (timers.now() - this.#writeStarted);
    if (left > 0) this.#armStall(left);
    else this.#owner.onStall();
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
