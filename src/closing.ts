/**
 * How a session ends (RFC 6455 section 7): the peer's Close or fault gets its answer in its place,
 * then FIN, then the peer's FIN; every step bounded by `closeTimeout`.
 *
 * @module
 */

import type { Timer, Timers } from "./clock.ts";
import { CloseCode } from "./core/close_code.ts";
import type { CloseStatus } from "./core/close.ts";
import type { Event, Protocol } from "./core/protocol.ts";
import { TimeoutError } from "./errors.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import type { Conn } from "./runtime/conn.ts";

/** What ended the input: the protocol's last event, or the end of the stream without one. */
export type Ending = Extract<Event, { type: "close" | "error" }> | { readonly type: "lost" };

/** What a {@linkcode Closing} needs of its session. */
export interface ClosingOwner {
  readonly conn: Conn;
  readonly protocol: Protocol;
  readonly timers: Timers;
  readonly options: ResolvedSessionOptions;
  /** Whether messages can be sent: until the closing begins, or all is over. */
  readonly canSend: boolean;
  /** Whether the user has dealt with every message that came before the ending. */
  readonly isUserDone: boolean;
  /** Whether everything has been written. */
  readonly isDrained: boolean;
  /** The peer's Close has its turn, and will be answered. */
  onPeerClose(): void;
  /** No message will follow. */
  onInputOver(): void;
  /** The closing handshake has begun: there may be something to write, and reading must go on. */
  onClosingBegun(): void;
  /** The connection is to be dropped now, for this error if it is not undefined. */
  onOver(error: unknown): void;
}

/** The end of one session, step by step. */
export class Closing {
  readonly #owner: ClosingOwner;
  #ending: Ending | null = null;
  /** The ending's place has come: every earlier message has been dealt with. */
  #isReached = false;
  /** A Close frame of ours is on its way, or can't be any more; `closeTimeout` runs. */
  #hasBegun = false;
  #endOfStream = false;
  #finSent = false;
  #isOver = false;
  #writeError: { readonly error: unknown } | null = null;
  #timer: Timer | null = null;
  /** Why this side ends the session. */
  #error: unknown = undefined;

  constructor(owner: ClosingOwner) {
    this.#owner = owner;
  }

  /** Whether the input has ended. */
  get hasEnding(): boolean {
    return this.#ending !== null;
  }

  /** Whether the input has ended and the user is not that far yet. */
  get isWaitingForUser(): boolean {
    return this.#ending !== null && !this.#isReached;
  }

  /** The input has ended. */
  end(ending: Ending): void {
    this.#ending ??= ending;
  }

  /** The connection has no more bytes to read. */
  endOfStream(): void {
    this.#endOfStream = true;
    this.end({ type: "lost" });
    this.reach();
    this.advance();
  }

  /** Reading failed: the connection is gone. */
  connectionLost(error: unknown): void {
    const { isDrained } = this.#owner;
    if (this.#isReached && this.#ending!.type === "close" && !isDrained) {
      // The peer may have read our Close, and gone, before we are told that it is written.
      this.#endOfStream = true;
      return;
    }
    this.over(this.#error ?? (this.#hasBegun ? undefined : error));
  }

  /** A write failed, but what the peer sent before it left may still be there to read. */
  outputFailed(error: unknown): void {
    this.#writeError = { error };
    this.begin();
    this.reach();
    this.advance();
  }

  /** This side ends the session because of an error. */
  because(error: unknown): void {
    this.#error ??= error;
  }

  /**
   * Acts on the ending once its place has come: the Close frame that answers it must not cut off
   * replies to messages that the user has not yet dealt with.
   */
  reach(): void {
    if (!this.isWaitingForUser || this.#isOver) return;
    if (!this.#owner.canSend || this.#owner.isUserDone) {
      this.#answer();
      return;
    }
    this.#timer ??= this.#owner.timers.set(this.#owner.options.closeTimeout, () => this.#answer());
  }

  /** Our Close frame has been queued, or never will be: no message follows, the end is bounded. */
  begin(): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#timer?.cancel();
      this.#timer = this.#owner.timers.set(
        this.#owner.options.closeTimeout,
        () => this.#timedOut(),
      );
    }
    this.#owner.onClosingBegun();
  }

  /** Goes on as far as both sides have come. */
  advance(): void {
    if (!this.#isReached || this.#isOver) return;
    if (this.#writeError === null && !this.#owner.isDrained) return;
    if (this.#endOfStream) {
      this.over(this.#error);
      return;
    }
    // In the normal case "the server MUST close the TCP connection first" (7.1.1), so that it does
    // not have to keep the address in TIME_WAIT; after an error either side does.
    if (this.#owner.protocol.role === "server" || this.#ending!.type !== "close") this.#sendFin();
  }

  /** Ends everything now. */
  over(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#owner.onOver(error);
  }

  /** How the session has ended; `error` is why it was dropped. */
  status(error: unknown): CloseStatus {
    const close = this.#ending?.type === "close" ? this.#ending : null;
    const why = error ?? (close === null ? this.#writeError?.error : undefined);
    return Object.freeze({
      code: close?.code ?? CloseCode.Abnormal,
      reason: close?.reason ?? "",
      wasClean: close !== null && this.#isHandshakeDone(),
      ...(why === undefined ? null : { error: why }),
    });
  }

  #answer(): void {
    this.#isReached = true;
    if (this.#ending!.type === "error") this.because(this.#ending!.error);
    else if (this.#ending!.type === "close") this.#owner.onPeerClose();
    this.#owner.protocol.answerClose();
    this.#owner.onInputOver();
    this.begin();
    this.advance();
  }

  #sendFin(): void {
    if (this.#finSent) return;
    this.#finSent = true;
    this.#owner.conn.closeWrite().catch(() => {}); // reading tells how the connection ends
  }

  /** Whether both Close frames have been exchanged (7.1.4). */
  #isHandshakeDone(): boolean {
    const { protocol, isDrained } = this.#owner;
    return this.#ending?.type === "close" && protocol.closeSent && this.#writeError === null &&
      isDrained;
  }

  #timedOut(): void {
    const { closeTimeout } = this.#owner.options;
    const isExplained = this.#isHandshakeDone() || this.#error !== undefined;
    this.over(
      isExplained ? this.#error : new TimeoutError(
        `The closing handshake took more than ${closeTimeout} ms (closeTimeout)`,
      ),
    );
  }
}
