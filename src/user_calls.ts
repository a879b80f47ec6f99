/**
 * What a session calls of its user's beside the handler of messages: what is to happen before it reads,
 * the function that runs with it, and the handler that is told of its end.
 *
 * @module
 */

import type { Timer, Timers } from "./clock.ts";
import type { CloseStatus } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import type { Inbox } from "./inbox.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import type { SessionPlan } from "./session_plan.ts";

/** What {@linkcode UserCalls} need of their session. */
export interface UserCallsOwner {
  readonly inbox: Inbox;
  readonly timers: Timers;
  readonly options: ResolvedSessionOptions;
  /** Whether our Close is still to come. */
  readonly canSend: boolean;
  close(code: number): unknown;
  /** The session may read. */
  onUserReady(): void;
  /** Time in which nothing was read is over. */
  onReading(): void;
  /** One of the user's functions threw, or its promise rejected. */
  onUserError(error: unknown): void;
}

/** Calls one session's user. */
export class UserCalls<Session> {
  readonly #session: Session;
  readonly #plan: SessionPlan<Session>;
  readonly #owner: UserCallsOwner;
  /** Ends the wait for `open`: from our Close on the session always reads. */
  #stopWaiting: (() => void) | null = null;
  #status: CloseStatus | null = null;
  /** The handlers are told of the end once they have had every message, or when this fires. */
  #endTimer: Timer | null = null;

  constructor(session: Session, plan: SessionPlan<Session>, owner: UserCallsOwner) {
    this.#session = session;
    this.#plan = plan;
    this.#owner = owner;
  }

  /** The session is open. */
  start(): void {
    const { handlers, opening } = this.#plan;
    let result: unknown;
    try {
      result = handlers?.open?.(this.#session) ?? opening?.();
    } catch (error) {
      this.#owner.onUserError(error);
    }
    if (result === undefined) return this.#begin();
    void this.#opened(result)
      .catch((error) => this.#owner.onUserError(error))
      .then(() => {
        this.#owner.onReading();
        this.#begin();
      });
  }

  #begin(): void {
    const { run } = this.#plan;
    if (run !== undefined) this.#run(run);
    this.#owner.onUserReady();
  }

  /** Waits for what `open` has promised, but no longer than until the session closes. */
  async #opened(result: unknown): Promise<void> {
    const owner = this.#owner;
    owner.inbox.hold();
    const opened = Promise.resolve(result)
      .catch((error) => owner.onUserError(error))
      .then(() => owner.inbox.resume());
    const closing = new Promise<void>((resolve) => this.#stopWaiting = resolve);
    if (owner.canSend) await Promise.race([opened, closing]);
  }

  #run(run: (session: Session) => unknown): void {
    const owner = this.#owner;
    let result: unknown;
    try {
      result = run(this.#session);
    } catch (error) {
      return owner.onUserError(error);
    }
    Promise.resolve(result).then(
      () => void (owner.canSend && owner.close(CloseCode.Normal)),
      (error) => owner.onUserError(error),
    );
  }

  /** The session closes, on whichever side that began. */
  closingBegun(): void {
    this.#stopWaiting?.();
  }

  /** The session has ended; the handlers get the messages first, unless one takes too long. */
  ended(status: CloseStatus): void {
    if (this.#plan.handlers?.close === undefined) return;
    this.#status = status;
    const { inbox, timers, options } = this.#owner;
    if (!inbox.isIdle) {
      this.#endTimer = timers.set(options.closeTimeout, () => this.#tellOfEnd());
    } else {
      // When the code that ended the session is done, but before those who wait for `closed`.
      queueMicrotask(() => this.#tellOfEnd());
    }
  }

  /** A handler has done its work. */
  progressed(): void {
    if (this.#endTimer !== null && this.#owner.inbox.isIdle) this.#tellOfEnd();
  }

  async #tellOfEnd(): Promise<void> {
    this.#endTimer?.cancel();
    this.#endTimer = null;
    try {
      await this.#plan.handlers!.close!(this.#session, this.#status!);
    } catch (error) {
      this.#plan.onError?.(error);
    }
  }
}
