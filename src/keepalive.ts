/**
 * Pings: the user's, answered with the round-trip time, and the automatic ones that find out
 * whether a silent peer is still there (RFC 6455 section 5.5.2).
 *
 * @module
 */

import type { Timer, Timers } from "./clock.ts";
import type { ResolvedSessionOptions } from "./options.ts";

/** What a {@linkcode Keepalive} needs of its session. */
export interface KeepaliveOwner {
  readonly timers: Timers;
  readonly options: ResolvedSessionOptions;
  /** Whether the session itself holds back reading: the peer's silence then proves nothing. */
  readonly isReadingHeld: boolean;
  sendPing(payload: Uint8Array): void;
  /** The peer was silent for these milliseconds. */
  onSilence(interval: number, timeout: number): void;
}

/** The payload of a ping whose answer means nothing: numbers begin with 1. */
const UNCOUNTED = new Uint8Array(4);

const NEVER = { interval: Infinity, timeout: Infinity };

interface PendingPing {
  /** A number that the pong brings back. */
  number: number;
  sentAt: number;
  /** Those who wait for the round-trip time. */
  readonly waiting: { resolve(ms: number): void; reject(error: unknown): void }[];
}

let checkKeepalive: (keepalive: Keepalive) => void;

/** The pings of one session. */
export class Keepalive {
  readonly #owner: KeepaliveOwner;
  /** Before the first byte it does not matter: the first look comes after a whole interval. */
  #lastReceived = -Infinity;
  /** When the automatic ping went out that no byte has answered. */
  #pingedAt: number | null = null;
  #timer: Timer | null = null;
  #pending: PendingPing | null = null;
  #count = 0;
  #latency: number | undefined;

  constructor(owner: KeepaliveOwner) {
    this.#owner = owner;
    this.#arm(this.#limits().interval);
  }

  /** Milliseconds of silence after which to ping, and those after that in which any byte must arrive. */
  #limits(): { readonly interval: number; readonly timeout: number } {
    const { keepalive } = this.#owner.options;
    return keepalive === false ? NEVER : keepalive;
  }

  /** The last round-trip time in milliseconds; `undefined` before the first. */
  get latency(): number | undefined {
    return this.#latency;
  }

  /** Bytes arrived, or the session has begun to read again. */
  received(now: number = this.#owner.timers.now()): void {
    this.#lastReceived = now;
  }

  /** A pong arrived; one that answers no ping of ours means nothing (5.5.3). */
  pong(payload: Uint8Array): void {
    const pending = this.#pending;
    if (pending === null || payload.length !== 4) return;
    if (new DataView(payload.buffer, payload.byteOffset).getUint32(0) !== pending.number) return;
    this.#pending = null;
    // After a standstill the clock goes back a little.
    this.#latency = Math.max(0, this.#owner.timers.now() - pending.sentAt);
    for (const { resolve } of pending.waiting) resolve(this.#latency);
  }

  /** Resolves with the round-trip time. A call while a ping is under way waits for that one. */
  ping(): Promise<number> {
    if (this.#pending === null) this.#send();
    const { waiting } = this.#pending!;
    const promise = new Promise<number>((resolve, reject) => waiting.push({ resolve, reject }));
    promise.catch(() => {}); // nobody has to wait for a pong
    return promise;
  }

  /** Watches no longer; pings under way can still be answered. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** The session has ended: nobody will answer those who wait, who are told `why`. */
  end(why: () => Error): void {
    this.stop();
    const waiting = this.#pending?.waiting ?? [];
    this.#pending = null;
    if (waiting.length === 0) return; // an error costs much
    const error = why();
    for (const { reject } of waiting) reject(error);
  }

  #send(): void {
    this.#count = (this.#count + 1) >>> 0;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.#count);
    const sentAt = this.#owner.timers.now();
    const waiting = this.#pending?.waiting ?? [];
    this.#pending = { number: this.#count, sentAt, waiting };
    this.#owner.sendPing(payload);
  }

  #arm(ms: number): void {
    this.#timer = this.#owner.timers.set(ms, checkKeepalive, this);
  }

  static {
    checkKeepalive = (keepalive) => keepalive.#check();
  }

  /**
   * Answers would not be read: silence proves nothing. But a ping may show that the connection is gone, and
   * tells those on the way that it is not.
   */
  #checkUnread(now: number): void {
    this.#lastReceived = now;
    this.#pingedAt = null;
    this.#owner.sendPing(UNCOUNTED);
    this.#arm(this.#limits().interval);
  }

  /** Looks at the clock only when a timer fires: a received byte costs no timer. */
  #check(): void {
    const { timers, isReadingHeld } = this.#owner;
    const { interval, timeout } = this.#limits();
    const now = timers.now();
    if (isReadingHeld) return this.#checkUnread(now);
    if (this.#pingedAt !== null && this.#lastReceived >= this.#pingedAt) this.#pingedAt = null;
    const quiet = now - this.#lastReceived;
    if (this.#pingedAt !== null) {
      const left = timeout - (now - this.#pingedAt);
      if (left > 0) this.#arm(Math.min(left, interval)); // a late answer makes the next one due
      else this.#owner.onSilence(interval, timeout);
    } else if (quiet < interval) {
      this.#arm(interval - quiet);
    } else {
      this.#pingedAt = now;
      this.#send();
      // Where the answer comes at once, the next interval may end before this ping's timeout.
      this.#arm(Math.min(interval, timeout));
    }
  }
}
