/**
 * A session is one {@linkcode Protocol} driven over one {@linkcode Conn}: reading, writing, flow
 * control and timers. The same class serves both ends of a connection.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import { Closing } from "./closing.ts";
import type { Compression } from "./compression.ts";
import type { CloseStatus } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import type { Message } from "./core/message.ts";
import { type Event, Protocol } from "./core/protocol.ts";
import type { Role } from "./core/receiver.ts";
import type { PreparedMessage } from "./core/sender.ts";
import { ClosedError, rejected, TimeoutError } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import { Intake } from "./intake.ts";
import { Keepalive } from "./keepalive.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { type Sendable, toPayload } from "./payload.ts";
import type { RequestInfo } from "./request_info.ts";
import type { Addr, Conn } from "./runtime/conn.ts";
import { Turns } from "./turns.ts";

/** What a session calls, for those who prefer handlers to iteration. */
export interface SessionHandlers<Data> {
  /** The session is open; a promise delays the first message. */
  readonly open?: (session: WebSocketSession<Data>) => unknown;
  /** A message arrived; a promise delays the next one. */
  readonly message?: (session: WebSocketSession<Data>, message: Message) => unknown;
  /** The session has ended. */
  readonly close?: (session: WebSocketSession<Data>, status: CloseStatus) => unknown;
}

/** How to send one message. */
export interface SendOptions {
  /**
   * Whether to compress it where that was agreed on. @default {whether it reaches compress.threshold}
   */
  readonly compress?: boolean;
}

/** What a session is made of. Sessions are made by `serve()` and `connect()`. */
export interface SessionInit<Data> {
  readonly conn: Conn;
  readonly role: Role;
  /** Gives a fresh masking key for each frame; used by clients. */
  readonly maskKey: () => number;
  readonly options: ResolvedSessionOptions;
  readonly timers: Timers;
  readonly request: RequestInfo;
  readonly protocol: string;
  readonly extensions: string;
  readonly data: Data;
  /** The codecs, where permessage-deflate has been agreed on; the session closes them. */
  readonly compression?: Compression | null;
  /** The peer's address, if it is not the Conn's (behind a proxy). */
  readonly remoteAddr?: Addr;
  /** Who gets the messages; without it they wait for `receive()`. */
  readonly handlers?: SessionHandlers<Data>;
  /** Runs with the session: when it returns, the session closes with 1000, when it throws, 1011. */
  readonly run?: (session: WebSocketSession<Data>) => unknown;
  /** Is told what the user's functions throw. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Sends a message that was encoded once for many sessions; returns whether the session took it.
 * Not a method, because only this package's servers need it.
 */
export let sendPrepared: <D>(session: WebSocketSession<D>, message: PreparedMessage) => boolean;

/**
 * An open WebSocket connection.
 *
 * @example
 * ```ts
 * import type { WebSocketSession } from "@twoway/websocket";
 *
 * async function echo(session: WebSocketSession): Promise<void> {
 *   for await (const message of session) await session.send(message);
 * }
 * ```
 */
export class WebSocketSession<Data = unknown> implements AsyncIterable<Message> {
  /** Unique among all sessions of all processes. */
  readonly id: string = crypto.randomUUID();
  /** The request that opened the connection: method, target and headers. */
  readonly request: RequestInfo;
  /** The subprotocol agreed on; empty if none was. */
  readonly protocol: string;
  /** The extensions agreed on, as in the response; empty if none were. */
  readonly extensions: string;
  /** The peer's address, where the transport knows one. */
  readonly remoteAddr: Addr | undefined;
  /** How the session ended. Settles exactly once, when the connection is gone; never rejects. */
  readonly closed: Promise<CloseStatus>;
  /** Whatever you want to keep with the session; at first what `accept` returned. */
  data: Data;

  readonly #conn: Conn;
  readonly #core: Protocol;
  readonly #options: ResolvedSessionOptions;
  readonly #timers: Timers;
  readonly #handlers: SessionHandlers<Data> | undefined;
  readonly #run: SessionInit<Data>["run"];
  readonly #onError: (error: unknown) => void;
  readonly #intake: Intake;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #keepalive: Keepalive;
  readonly #closing: Closing;
  readonly #turns: Turns;
  readonly #compression: Compression | null;
  #settleClosed!: (status: CloseStatus) => void;

  /** Ends the wait for `open`: from our Close on the session always reads. */
  #startReading: (() => void) | null = null;
  #isPumping = false;
  /** The message in the inflater that will call again when it is done. */
  #awaited: Promise<void> | null = null;

  /** A message did not fit into the queue any more: none that follows is kept, either. */
  #hasDiscarded = false;
  #status: CloseStatus | null = null;

  /** Use `serve()` or `connect()`. */
  constructor(init: SessionInit<Data>) {
    this.request = init.request;
    this.protocol = init.protocol;
    this.extensions = init.extensions;
    this.remoteAddr = init.remoteAddr ?? init.conn.remoteAddr;
    this.data = init.data;
    this.#conn = init.conn;
    this.#options = init.options;
    this.#timers = init.timers;
    this.#handlers = init.handlers;
    this.#run = init.run;
    this.#onError = init.onError ?? (() => {});
    this.closed = new Promise((resolve) => this.#settleClosed = resolve);
    this.#compression = init.compression ?? null;
    this.#core = new Protocol({
      role: init.role,
      limits: init.options.limits,
      codec: this.#compression,
      maskKey: init.maskKey,
    });
    this.#intake = this.#createIntake();
    this.#inbox = this.#createInbox();
    this.#outbox = this.#createOutbox();
    this.#keepalive = this.#createKeepalive();
    this.#closing = this.#createClosing();
    this.#turns = new Turns(init.options.limits, init.timers, () => this.#pump());
    // One microtask later, so that whoever makes the session can put it into its table first.
    queueMicrotask(() => this.#start());
  }

  /** Message bytes sent but not yet taken by the transport, before compression and framing. */
  get bufferedAmount(): number {
    return this.#core.bufferedAmount;
  }

  /** The last round-trip time in milliseconds; `undefined` before the first pong. */
  get latency(): number | undefined {
    return this.#keepalive.latency;
  }

  /**
   * Sends a message: text for a string, binary for an `ArrayBuffer` or any view of one. The bytes
   * are taken as they are at the call and never changed.
   *
   * Resolves when the backlog is below `limits.sendHighWaterMark`; waiting for it is how a sender
   * keeps pace with a slow peer. Rejects with a `TypeError` for other types, and with a
   * {@linkcode ClosedError} when the session is ending, has ended, or ends before the backlog has
   * fallen. A backlog of `limits.maxSendBacklog` bytes ends the session. The promise may be ignored.
   */
  send(message: Sendable, options?: SendOptions): Promise<void> {
    let payload: string | Uint8Array;
    try {
      payload = toPayload(message);
    } catch (error) {
      return rejected(error);
    }
    const problem = this.#problemWithSending();
    if (problem !== null) return rejected(problem);
    this.#core.sendMessage(payload, options?.compress);
    if (!this.#isPumping) this.#outbox.schedule(); // else written behind the last message
    return this.#outbox.ready();
  }

  /**
   * The next message, or `null` once there will be none: the peer has closed, or the connection is
   * lost. Calls queue in order. Throws a `TypeError` on a session whose messages go to handlers.
   */
  receive(): Promise<Message | null> {
    return this.#inbox.receive();
  }

  /** Iterates over the messages; leaving the loop leaves the session open. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined, undefined> {
    return {
      next: () => this.#inbox.next(),
      return: () => {
        this.#inbox.release();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /**
   * Sends a ping and resolves with the round-trip time in milliseconds; a call while one is under
   * way waits for that one. Rejects with a {@linkcode ClosedError}. The promise may be ignored.
   */
  ping(): Promise<number> {
    return this.#canSend ? this.#keepalive.ping() : rejected(this.#closedError("ping"));
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7): a Close frame behind all messages sent, then
   * the peer's answer, then the end of the connection; `closeTimeout` bounds it. Without a code the
   * Close frame is empty. Resolves with how the session ended; a further call, also after the end,
   * just waits for that. What the peer sends meanwhile can still be received, as far as
   * `limits.receiveQueue` goes; from the first message on that has no place, all are dropped.
   *
   * Rejects, and sends nothing, with a `RangeError` for a code other than 1000–1003, 1007–1014 and
   * 3000–4999 or a reason of more than 123 bytes, and with a `TypeError` for other types, a lone
   * surrogate, or a reason without a code. The promise may be ignored.
   */
  close(code?: number, reason?: string): Promise<CloseStatus> {
    const isFirst = this.#canSend;
    try {
      this.#core.sendClose(code, reason);
    } catch (error) {
      return rejected(error);
    }
    if (isFirst) this.#closing.begin();
    return this.closed;
  }

  /** Drops the connection now; `error` becomes the status's `error`. */
  abort(error?: unknown): void {
    this.#closing.over(error);
  }

  /** Closes the session with code 1000 and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(CloseCode.Normal);
  }

  static {
    sendPrepared = (session, message) => session.#sendPrepared(message);
  }

  #sendPrepared(message: PreparedMessage): boolean {
    if (this.#problemWithSending() !== null) return false;
    this.#core.sendPrepared(message);
    this.#outbox.schedule();
    return true;
  }

  #createIntake(): Intake {
    return new Intake({
      conn: this.#conn,
      onBytes: (bytes) => this.#received(bytes),
      isHolding: () => this.#isHolding,
      onReleased: () => this.#keepalive.received(), // the peer's time to answer starts anew
      onEnd: () => this.#closing.endOfStream(),
      onError: (error) => this.#closing.connectionLost(error),
    });
  }

  #createInbox(): Inbox {
    const { receiveQueue, maxMessageSize } = this.#options.limits;
    const handler = this.#handlers?.message;
    return new Inbox({
      maxMessages: receiveQueue,
      maxSize: maxMessageSize,
      handler: this.#handlers && ((message) => handler?.(this, message)),
      onProgress: () => this.#pump(),
      onHandlerError: (error) => this.#handlerFailed(error),
    });
  }

  #createOutbox(): Outbox {
    const { limits, writeStallTimeout } = this.#options;
    return new Outbox({
      conn: this.#conn,
      protocol: this.#core,
      timers: this.#timers,
      highWaterMark: limits.sendHighWaterMark,
      stallTimeout: writeStallTimeout,
      isMoreComing: () => this.#inbox.hasMessages,
      onDrained: () => this.#closing.advance(),
      onError: (error) => {
        this.#outbox.end(this.#closedError("send"));
        this.#closing.outputFailed(error);
      },
      onStall: () =>
        this.#timedOut(
          `The peer accepted no bytes for ${writeStallTimeout} ms`,
          "writeStallTimeout",
        ),
    });
  }

  #createKeepalive(): Keepalive {
    const keepalive = this.#options.keepalive;
    const { interval, timeout } = keepalive === false ? NEVER : keepalive;
    return new Keepalive({
      timers: this.#timers,
      interval,
      timeout,
      isHolding: () => this.#intake.isHeld,
      sendPing: (payload) => {
        this.#core.sendPing(payload);
        this.#outbox.schedule();
      },
      onSilence: () =>
        this.#timedOut(`The peer was silent for ${interval} + ${timeout} ms`, "keepalive"),
    });
  }

  #createClosing(): Closing {
    return new Closing({
      conn: this.#conn,
      protocol: this.#core,
      timers: this.#timers,
      closeTimeout: this.#options.closeTimeout,
      isUserDone: () => this.#inbox.isIdle,
      isDrained: () => this.#outbox.isIdle,
      onInputOver: () => this.#inbox.end(),
      onBegin: () => {
        this.#startReading?.();
        this.#keepalive.stop();
        this.#outbox.schedule();
        this.#pump();
      },
      onOver: (error) => this.#finish(error),
    });
  }

  async #start(): Promise<void> {
    const { open, close } = this.#handlers ?? {};
    if (close !== undefined) {
      this.closed.then((status) => close(this, status)).catch((error) => this.#onError(error));
    }
    try {
      const result = open?.(this);
      if (result !== undefined) await this.#opened(result);
    } catch (error) {
      this.#handlerFailed(error);
    }
    if (this.#run !== undefined) void this.#runUser(this.#run);
    this.#keepalive.received();
    if (this.#status === null) this.#intake.start();
  }

  /** Waits for what `open` has promised, but reads at once when it closes the session. */
  async #opened(result: unknown): Promise<void> {
    this.#inbox.hold();
    const opened = Promise.resolve(result)
      .catch((error) => this.#handlerFailed(error))
      .then(() => this.#inbox.resume());
    const closing = new Promise<void>((resolve) => this.#startReading = resolve);
    if (this.#canSend) await Promise.race([opened, closing]);
  }

  async #runUser(run: (session: WebSocketSession<Data>) => unknown): Promise<void> {
    try {
      await run(this);
      if (this.#canSend) void this.close(CloseCode.Normal);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #received(bytes: Uint8Array): void {
    this.#keepalive.received();
    this.#turns.received(bytes.length);
    this.#core.receive(bytes);
    this.#pump();
  }

  /** Whether reading must wait: input is left, the queue is full, or it is others' turn. */
  get #isHolding(): boolean {
    if (this.#status !== null) return false;
    if (this.#closing.hasEnding) return this.#closing.isWaitingForUser;
    return this.#turns.isYielding || this.#core.hasInput ||
      (this.#inbox.isFull && !this.#isDiscarding);
  }

  /** From our Close on we always read, and drop what the queue can't hold. */
  get #isDiscarding(): boolean {
    return this.#closing.isOutputOver;
  }

  /** Takes events as far as the user follows, then writes what they caused. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#closing.hasEnding && (this.#isDiscarding || !this.#inbox.isFull)) {
      if (!this.#turns.hasTime()) break; // one busy peer must not starve the others
      const event = this.#core.next();
      if (event === null) break;
      this.#dispatch(event);
    }
    this.#isPumping = false;
    this.#awaitInflater();
    this.#closing.reach();
    this.#outbox.flush();
    this.#intake.advance();
  }

  #awaitInflater(): void {
    const work = this.#core.inflating;
    if (work === null || work === this.#awaited) return;
    this.#awaited = work;
    work.then(() => this.#pump());
  }

  #dispatch(event: Event): void {
    this.#turns.worked();
    switch (event.type) {
      case "message":
        // What is received stays a beginning of what was sent: no gaps.
        this.#hasDiscarded ||= this.#inbox.isFull;
        if (!this.#hasDiscarded) this.#inbox.push(event.data);
        break;
      case "ping":
        break;
      case "pong":
        this.#keepalive.pong(event.data);
        break;
      default:
        this.#closing.end(event);
    }
  }

  #handlerFailed(error: unknown): void {
    if (error instanceof ClosedError && !this.#canSend) return; // it only noticed our end
    this.#onError(error);
    this.#closing.because(error);
    this.#inbox.stop();
    void this.close(CloseCode.InternalError);
  }

  #timedOut(what: string, option: string): void {
    this.#closing.over(new TimeoutError(`${what} (${option})`));
  }

  #finish(error: unknown): void {
    this.#status = this.#closing.status(error);
    this.#closing.end({ type: "lost" });
    this.#conn.close();
    this.#keepalive.end(this.#closedError("ping"));
    this.#outbox.end(this.#closedError("send"));
    this.#inbox.end();
    this.#compression?.close();
    this.#intake.stop();
    this.#core.abandon();
    this.#settleClosed(this.#status);
  }

  get #canSend(): boolean {
    return !this.#closing.isOutputOver;
  }

  #problemWithSending(): Error | null {
    if (!this.#canSend) return this.#closedError("send");
    const { maxSendBacklog } = this.#options.limits;
    if (this.#core.bufferedAmount < maxSendBacklog) return null;
    this.#closing.over(
      new RangeError(`The backlog has reached ${maxSendBacklog} bytes (limits.maxSendBacklog)`),
    );
    return this.#closedError("send");
  }

  #closedError(action: string): ClosedError {
    const status = this.#status;
    if (status === null) return new ClosedError(`Cannot ${action}: the session is closing`);
    const why = status.error instanceof Error ? `: ${status.error.message}` : "";
    return new ClosedError(
      `Cannot ${action}: the session is closed (${status.code})${why}`,
      status,
    );
  }
}

const NEVER = { interval: Infinity, timeout: Infinity };
