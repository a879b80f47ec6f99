/**
 * Received messages on their way to the user: a short queue in front of the calls of `receive()`,
 * or of one handler.
 *
 * @module
 */

import type { Message } from "./core/message.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { READY } from "./ready.ts";

/** What an {@linkcode Inbox} needs of its session. */
export interface InboxOwner {
  readonly options: ResolvedSessionOptions;
  /** Whether handlers take each message in place of `receive()`. */
  readonly hasHandlers: boolean;
  /** Gives a message to the handler; a promise delays the next one. */
  onMessage(message: Message): unknown;
  /** The user has taken a message or asks for one: there may be room, or nothing left in work. */
  onProgress(): void;
  /** The handler threw or its promise rejected. */
  onUserError(error: unknown): void;
}

/** Resolves a call that waits. */
type Reader = (result: IteratorResult<Message, undefined>) => void;

// deno-lint-ignore no-explicit-any -- of promises of any type
type Resolve = (value: any) => void;

/** What resolves the promise last made with {@linkcode keepResolve}. */
let lastResolve: Resolve | null = null;

/** Makes promises without a closure for each. */
const keepResolve = (resolve: Resolve): void => void (lastResolve = resolve);

/** The queue between a session and its user. */
export class Inbox {
  readonly #owner: InboxOwner;
  readonly #queue: Message[] = [];
  /** How many are in the queue: of a thousand sessions no array is in the processor's cache. */
  #count = 0;
  #size = 0;
  /** The queue was full: the session waits until half of it is free. */
  #isAwaited = false;
  /** The call that waits for a message, if there is one: more than one are rare. */
  #reader: Reader | null = null;
  /** Calls behind it, in order. */
  #laterReaders: Reader[] | null = null;
  /** A message has been handed out, and the user has not shown that it is dealt with. */
  #inWork = false;
  /** Whether messages are taken in; no more once they are dropped, or have come to their end. */
  #intake: "open" | "stopped" | "ended" = "open";

  constructor(owner: InboxOwner) {
    this.#owner = owner;
  }

  /** Whether the session should stop reading: as many messages, or as much in bytes, as may wait. */
  get isFull(): boolean {
    const { receiveQueue, maxMessageSize } = this.#owner.options.limits;
    return this.#count >= receiveQueue || this.#size >= maxMessageSize;
  }

  /** Whether messages wait for the user: there will be more to send before long. */
  get hasMessages(): boolean {
    return this.#count > 0;
  }

  /** Whether every message has been taken and dealt with, as far as the user has shown. */
  get isIdle(): boolean {
    return this.#count === 0 && !this.#inWork;
  }

  /** Hands a message to whoever waits for it, or keeps it. */
  push(message: Message): void {
    if (this.#intake !== "open") return;
    if (this.#owner.hasHandlers && this.isIdle) {
      this.#handle(message);
      return;
    }
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = this.#laterReaders?.shift() ?? null;
      this.#inWork = this.#reader === null;
      reader(toResult(message));
      return;
    }
    this.#queue.push(message);
    this.#count++;
    this.#size += message.length;
    this.#isAwaited ||= this.isFull;
  }

  /** The next message, or `null` once the inbox has ended and is empty. Calls queue in order. */
  receive(): Promise<Message | null> {
    const message = this.#receiveNow();
    if (message !== undefined) return Promise.resolve(message);
    const promise = new Promise<Message | null>(keepResolve);
    const resolve = lastResolve!;
    this.#wait(({ value }) => resolve(value ?? null));
    return promise;
  }

  /** The same for an iterator: one promise for a message. */
  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.#receiveNow();
    if (message !== undefined) return Promise.resolve(toResult(message));
    const promise = new Promise<IteratorResult<Message, undefined>>(keepResolve);
    this.#wait(lastResolve!);
    return promise;
  }

  #wait(reader: Reader): void {
    lastResolve = null; // it would keep the message that it will get
    if (this.#reader === null) this.#reader = reader;
    else (this.#laterReaders ??= []).push(reader);
    this.#owner.onProgress();
  }

  /** What `receive()` returns, if it need not wait. */
  #receiveNow(): Message | null | undefined {
    if (this.#owner.hasHandlers) {
      throw new TypeError("Cannot receive: the messages of this session go to its handlers");
    }
    if (this.#count > 0) {
      const message = this.#take();
      this.#inWork = true;
      if (this.#isAwaited) this.#progress();
      return message;
    }
    this.#inWork = false;
    return this.#intake === "ended" ? null : undefined;
  }

  /** Asks for more when half of the queue is free: asking costs more than taking. */
  #progress(): void {
    const { receiveQueue, maxMessageSize } = this.#owner.options.limits;
    if (2 * this.#count > receiveQueue || 2 * this.#size > maxMessageSize) return;
    this.#isAwaited = false;
    this.#owner.onProgress();
  }

  /** The user stops asking for now: what was handed out counts as dealt with. */
  release(): void {
    this.#inWork = false;
    this.#owner.onProgress();
  }

  /** Hands out nothing until {@linkcode Inbox.resume}: the handler is not ready yet. */
  hold(): void {
    this.#inWork = true;
  }

  /** Goes on handing out. */
  resume(): void {
    this.#handled();
  }

  /** No message will follow those in the queue. */
  end(): void {
    this.#intake = "ended";
    this.#reader?.(DONE);
    for (const reader of this.#laterReaders ?? []) reader(DONE);
    this.#reader = this.#laterReaders = null;
  }

  /** Hands out nothing more: neither what is in the queue nor what is yet to come. */
  stop(): void {
    if (this.#intake === "open") this.#intake = "stopped";
    this.#queue.length = this.#count = 0;
    this.#size = 0;
  }

  #take(): Message {
    const message = this.#queue.shift()!;
    this.#count--;
    this.#size -= message.length;
    return message;
  }

  #handle(message: Message): void {
    let result: unknown;
    try {
      result = this.#owner.onMessage(message);
    } catch (error) {
      this.#owner.onUserError(error);
      return;
    }
    if (result === undefined || result === READY || !isThenable(result)) return;
    this.#inWork = true;
    result.then(() => this.#handled(), (error) => {
      this.#owner.onUserError(error);
      this.#handled();
    });
  }

  #handled(): void {
    this.#inWork = false;
    while (this.#count > 0 && !this.#inWork) this.#handle(this.#take());
    this.#owner.onProgress();
  }
}

/** Takes messages out of an inbox for a `for await`. */
export class MessageIterator implements AsyncIterator<Message, undefined, undefined> {
  readonly #inbox: Inbox;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    return this.#inbox.next();
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.#inbox.release();
    return Promise.resolve(DONE);
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

function toResult(message: Message | null): IteratorResult<Message, undefined> {
  return message === null ? DONE : { done: false, value: message };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
