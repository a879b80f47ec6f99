/**
 * What the web's `WebSocket` has been given to send: in order, also behind a `Blob` that is still being
 * read, and counted as `bufferedAmount` wants it.
 *
 * @module
 */

import { sharedTimers } from "../clock.ts";
import { createBacklogError } from "../errors.ts";
import type { WebSocketSession } from "../session.ts";

/** What is sent when its turn comes. */
type Deferred = () => void | Promise<void>;

/** Bytes that a message takes while it waits for a `Blob`, besides its own. */
const DEFERRED_COST = 64;

/** The messages of one `WebSocket` on their way to its session. */
export class SendQueue {
  #session: WebSocketSession | null = null;
  #maxBacklog = Infinity;
  /** What waits for a `Blob` before it; `null` while none is being read. */
  #deferred: Deferred[] | null = null;
  /** Bytes of messages that will never be sent, or wait for a `Blob`. */
  #unsent = 0;
  /** What `amount` is until the current task is over; `null` while nothing was sent in it. */
  #amount: number | null = null;

  /** Bytes that the network has not taken; of what is sent in a task, at least until that is over. */
  get amount(): number {
    return this.#amount ?? this.#currentAmount();
  }

  /** Messages go to this session from now on, which ends if `maxBacklog` bytes wait for a `Blob`. */
  open(session: WebSocketSession, maxBacklog: number): void {
    this.#session = session;
    this.#maxBacklog = maxBacklog;
  }

  /** Sends a message behind those before it. Bytes are taken as they are at the call. */
  add(message: string | Uint8Array | Blob): void {
    const size = sizeOf(message);
    this.#count(size);
    if (message instanceof Blob) {
      this.#defer(
        async () => this.#sendDeferred(new Uint8Array(await message.arrayBuffer()), size),
        size,
      );
    } else if (this.#deferred !== null) {
      const own = typeof message === "string" ? message : new Uint8Array(message);
      this.#defer(() => this.#sendDeferred(own, size), size);
    } else {
      this.#sendNow(message, size);
    }
  }

  /** Counts a message that comes too late to be sent. */
  lose(message: string | Uint8Array | Blob): void {
    const size = sizeOf(message);
    this.#count(size);
    this.#unsent += size;
  }

  /** Calls behind every message that has been added. */
  whenSent(call: () => void): void {
    if (this.#deferred === null) call();
    else this.#deferred.push(call);
  }

  /** The session is gone: what it has not sent stays counted. */
  end(): void {
    this.#unsent += this.#session?.bufferedAmount ?? 0;
    this.#session = null;
    this.#deferred = null;
  }

  #currentAmount(): number {
    return this.#unsent + (this.#session?.bufferedAmount ?? 0);
  }

  /** The system may have a message at once, and yet it counts for a while. */
  #count(size: number): void {
    if (this.#amount === null) {
      this.#amount = this.#currentAmount();
      void sharedTimers.sharedTurn().then(() => this.#amount = null);
    }
    this.#amount += size;
  }

  #defer(send: Deferred, size: number): void {
    const waiting = this.#deferred?.length ?? 0;
    const isTooMuch = this.#currentAmount() + waiting * DEFERRED_COST >= this.#maxBacklog;
    this.#unsent += size;
    if (isTooMuch) return this.#session?.abort(createBacklogError(this.#maxBacklog));
    if (this.#deferred !== null) {
      this.#deferred.push(send);
      return;
    }
    this.#deferred = [send];
    void this.#sendDeferredAll();
  }

  async #sendDeferredAll(): Promise<void> {
    try {
      while (this.#deferred !== null && this.#deferred.length > 0) await this.#deferred.shift()!();
      this.#deferred = null;
    } catch (error) {
      this.#session?.abort(error); // a Blob that can't be read: what follows must not overtake it
    }
  }

  #sendDeferred(payload: string | Uint8Array, size: number): void {
    if (this.#session?.state !== "open") return; // it stays unsent
    this.#unsent -= size;
    this.#sendNow(payload, size);
  }

  #sendNow(payload: string | Uint8Array, size: number): void {
    const session = this.#session!;
    void session.send(payload);
    // At limits.maxSendBacklog the session is dropped, and does not take the message.
    if (session.state !== "open") this.#unsent += size;
  }
}

/** Bytes of a message: of a text, in UTF-8. */
function sizeOf(message: string | Uint8Array | Blob): number {
  if (message instanceof Blob) return message.size;
  if (typeof message !== "string") return message.length;
  let size = message.length;
  for (let i = 0; i < message.length; i++) {
    const unit = message.charCodeAt(i);
    if (unit > 0x7f) size += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return size;
}
