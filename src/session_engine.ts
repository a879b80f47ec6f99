/**
 * What makes a session go: one {@linkcode Protocol} driven over one {@linkcode Conn}. Its parts
 * (reading, the queue in front of the user, writing, pings, the end) call it by methods: a session
 * that is one of ten thousand has no closures.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import { Closing, type ClosingOwner } from "./closing.ts";
import type { Compression } from "./compression.ts";
import type { CloseStatus } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import type { Message } from "./core/message.ts";
import { type Event, Protocol, type State } from "./core/protocol.ts";
import type { PreparedMessage } from "./core/prepared_message.ts";
import {
  ClosedError,
  createBacklogError,
  createClosedError,
  rejected,
  TimeoutError,
} from "./errors.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { Intake, type IntakeOwner } from "./intake.ts";
import { Keepalive, type KeepaliveOwner } from "./keepalive.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import type { Conn } from "./runtime/conn.ts";
import type { SessionPlan } from "./session_plan.ts";
import { tuneCore } from "./tuning.ts";
import { Turns, type TurnsOwner } from "./turns.ts";
import { UserCalls, type UserCallsOwner } from "./user_calls.ts";

tuneCore();

type Owner =
  & ClosingOwner
  & InboxOwner
  & IntakeOwner
  & KeepaliveOwner
  & OutboxOwner
  & TurnsOwner
  & UserCallsOwner;

/** What a session is driven over. */
export interface EngineInit<Session> {
  readonly plan: SessionPlan<Session>;
  readonly conn: Conn;
  /** The codecs, where permessage-deflate has been agreed on; the session closes them. */
  readonly compression?: Compression | null;
}

/** The works of one session. */
export class SessionEngine<Session> implements Owner {
  readonly conn: Conn;
  readonly protocol: Protocol;
  readonly options: ResolvedSessionOptions;
  readonly timers: Timers;
  readonly inbox: Inbox;
  readonly keepalive: Keepalive;
  /** Whether messages can be sent: the session has neither begun to close nor ended. */
  canSend = true;

  readonly #session: Session;
  readonly #plan: SessionPlan<Session>;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  readonly #closing: Closing;
  readonly #turns: Turns;
  readonly #user: UserCalls<Session>;
  readonly #compression: Compression | null;
  /** Made for the first who asks; most sessions are not asked while they are open. */
  #closed: Promise<CloseStatus> | null = null;
  #settleClosed: ((status: CloseStatus) => void) | null = null;

  #isPumping = false;
  /** The message in the inflater that will call again when it is done. */
  #awaited: Promise<void> | null = null;
  /** A message did not fit into the queue any more: none that follows is kept, either. */
  #hasDiscarded = false;
  #status: CloseStatus | null = null;
  #whenPeerCloses: ((isBehind: boolean) => void) | null = null;
  /** What had not been taken by the transport when the session ended. */
  #lost = 0;

  constructor(session: Session, { plan, conn, compression = null }: EngineInit<Session>) {
    const { options, timers } = plan;
    const { limits } = options;
    this.#session = session;
    this.#plan = plan;
    this.conn = conn;
    this.options = options;
    this.timers = timers;
    this.#compression = compression;
    this.protocol = new Protocol(
      plan.role === "server"
        ? { role: "server", limits, codec: compression }
        : { role: "client", limits, codec: compression, maskKey: plan.maskKey },
    );
    this.#intake = new Intake(this);
    this.inbox = new Inbox(this);
    this.#outbox = new Outbox(this);
    this.keepalive = new Keepalive(this);
    this.#closing = new Closing(this);
    this.#turns = new Turns(this);
    this.#user = new UserCalls(session, plan, this);
    // One microtask later, so that whoever makes the session can put it into its table first.
    queueMicrotask(() => this.#user.start());
  }

  /** How the session ended; settles once, when the connection is gone. */
  get closed(): Promise<CloseStatus> {
    if (this.#closed !== null) return this.#closed;
    const status = this.#status;
    return this.#closed = status !== null
      ? Promise.resolve(status)
      : new Promise((resolve) => this.#settleClosed = resolve);
  }

  /** See the session's `state`. */
  get state(): State {
    if (this.#status !== null) return "closed";
    return this.canSend ? "open" : "closing";
  }

  /** See the session's `bufferedAmount`. */
  get bufferedAmount(): number {
    return this.#status === null ? this.protocol.bufferedAmount : this.#lost;
  }

  /** Sends a message; see the session's `send()`. */
  send(payload: string | Uint8Array, compress: boolean | undefined): Promise<void> {
    const problem = this.#problemWithSending();
    if (problem !== null) return rejected(problem);
    this.protocol.sendMessage(payload, compress);
    if (!this.#isPumping) this.#outbox.schedule(); // else written behind the last message
    return this.#outbox.ready();
  }

  /** Sends what was encoded once for many sessions; returns whether this one took it. */
  sendPrepared(message: PreparedMessage): boolean {
    if (this.#problemWithSending() !== null) return false;
    this.protocol.sendPrepared(message);
    this.#outbox.schedule();
    return true;
  }

  /** Sends a ping; see the session's `ping()`. */
  ping(): Promise<number> {
    return this.canSend ? this.keepalive.ping() : rejected(this.#closedError("ping"));
  }

  /** Starts the closing handshake; see the session's `close()`. */
  close(code?: number, reason?: string): Promise<CloseStatus> {
    const isFirst = this.canSend;
    try {
      this.protocol.sendClose(code, reason);
    } catch (error) {
      return rejected(error);
    }
    if (isFirst) this.#closing.begin();
    return this.closed;
  }

  /** Drops the connection now. */
  abort(error: unknown): void {
    this.#closing.over(error);
  }

  /** See `whenPeerCloses()` of sessions. */
  whenPeerCloses(call: (isBehind: boolean) => void): void {
    this.#whenPeerCloses = call;
  }

  // For the intake.

  /** Whether reading must wait: input is left, the queue is full, or it is others' turn. */
  get isHolding(): boolean {
    if (this.#status !== null) return false;
    if (this.#closing.hasEnding) return this.#closing.isWaitingForUser;
    return this.#turns.isYielding || this.protocol.hasInput ||
      (this.inbox.isFull && !this.#isDiscarding());
  }

  onBytes(bytes: Uint8Array): void {
    const now = this.timers.lately();
    this.keepalive.received(now);
    this.#turns.received(bytes.length, now);
    this.protocol.receive(bytes);
    this.#pump();
  }

  onEndOfStream(): void {
    this.#closing.endOfStream();
  }

  onReadError(error: unknown): void {
    this.#closing.connectionLost(error);
  }

  // For the intake and the user's calls.

  onReading(): void {
    this.keepalive.received(); // the peer's time to answer starts anew
  }

  // For the inbox.

  get hasHandlers(): boolean {
    return this.#plan.handlers !== undefined;
  }

  onMessage(message: Message): unknown {
    return this.#plan.handlers!.message?.(this.#session, message);
  }

  onProgress(): void {
    // Most often nothing has been held back, and what was sent meanwhile is all that there is to do.
    if (this.canSend && !this.#intake.isHeld && !this.#closing.hasEnding) {
      if (!this.#isPumping) this.#outbox.flush();
      return;
    }
    this.#pump();
    this.#user.progressed();
  }

  // For the inbox and the user's calls.

  /** Ends the session with 1011, unless the error is only what our end made of a call. */
  onUserError(error: unknown): void {
    if (error instanceof ClosedError && !this.canSend) return;
    this.#plan.onError?.(error);
    this.#closing.because(error);
    this.inbox.stop();
    void this.close(CloseCode.InternalError);
  }

  // For the user's calls.

  onUserReady(): void {
    if (this.#status === null) this.#intake.start();
  }

  // For the outbox.

  get isMoreComing(): boolean {
    return this.inbox.hasMessages;
  }

  onDrained(): void {
    if (!this.canSend) this.#closing.advance(); // before, it has nowhere to go
  }

  onWriteError(error: unknown): void {
    this.#outbox.end(() => this.#closedError("send"));
    this.#closing.outputFailed(error);
  }

  onStall(): void {
    const { writeStallTimeout } = this.options;
    this.#timedOut(
      `The peer took more than ${writeStallTimeout} ms for one write`,
      "writeStallTimeout",
    );
  }

  // For the keepalive.

  get isReadingHeld(): boolean {
    return this.#intake.isHeld;
  }

  sendPing(payload: Uint8Array): void {
    this.protocol.sendPing(payload);
    this.#outbox.schedule();
  }

  onSilence(interval: number, timeout: number): void {
    this.#timedOut(`The peer was silent for ${interval} + ${timeout} ms`, "keepalive");
  }

  // For the closing.

  get isUserDone(): boolean {
    return this.inbox.isIdle;
  }

  get isDrained(): boolean {
    return this.#outbox.isIdle;
  }

  onPeerClose(): void {
    this.#whenPeerCloses?.(this.#outbox.isFull);
  }

  onInputOver(): void {
    this.inbox.end();
  }

  onClosingBegun(): void {
    this.canSend = false;
    this.#user.closingBegun();
    this.keepalive.stop();
    this.#outbox.schedule();
    this.#pump();
  }

  onOver(error: unknown): void {
    this.canSend = false;
    this.#lost = this.protocol.bufferedAmount;
    this.#status = this.#closing.status(error);
    this.#closing.end({ type: "lost" });
    this.conn.close();
    this.keepalive.end(() => this.#closedError("ping"));
    this.#outbox.end(() => this.#closedError("send"));
    this.inbox.end();
    this.#compression?.close();
    this.#intake.stop();
    this.protocol.abandon();
    this.#user.ended(this.#status);
    this.#settleClosed?.(this.#status);
    this.#plan.onEnd?.(this.#session);
  }

  // For the turns.

  onTurn(): void {
    this.#pump();
  }

  // No private getters here: V8 gets them by a call into its runtime, also in optimized code.

  /** From our Close on we always read, and drop what the queue can't hold. */
  #isDiscarding(): boolean {
    return !this.canSend;
  }

  /** Takes events as far as the user follows, then writes what they caused. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#closing.hasEnding && (!this.inbox.isFull || this.#isDiscarding())) {
      if (!this.#turns.hasTime()) break; // one busy peer must not starve the others
      if (!this.protocol.hasInput) break;
      const message = this.protocol.nextShortMessage();
      if (message !== null) {
        this.#takeIn(message);
        continue;
      }
      const event = this.protocol.next();
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
    const work = this.protocol.inflating;
    if (work === null || work === this.#awaited) return;
    this.#awaited = work;
    work.then(() => this.#pump());
  }

  /** A message has its turn. */
  #takeIn(message: Message): void {
    this.#turns.worked();
    // What is received stays a beginning of what was sent: no gaps.
    this.#hasDiscarded ||= this.inbox.isFull;
    if (!this.#hasDiscarded) this.inbox.push(message);
  }

  #dispatch(event: Event): void {
    if (event.type === "message") return this.#takeIn(event.data);
    this.#turns.worked();
    switch (event.type) {
      case "ping":
        break;
      case "pong":
        this.keepalive.pong(event.data);
        break;
      default:
        this.#closing.end(event);
    }
  }

  #timedOut(what: string, option: string): void {
    this.#closing.over(new TimeoutError(`${what} (${option})`));
  }

  #problemWithSending(): Error | null {
    if (!this.canSend) return this.#closedError("send");
    const { maxSendBacklog } = this.options.limits;
    if (this.protocol.backlog < maxSendBacklog) return null;
    this.#closing.over(createBacklogError(maxSendBacklog));
    return this.#closedError("send");
  }

  #closedError(action: string): ClosedError {
    return createClosedError(action, this.#status);
  }
}
