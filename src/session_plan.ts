/**
 * What sessions go by; all those of a server share one plan.
 *
 * @module
 */

import type { Timers } from "./clock.ts";
import type { CloseStatus } from "./core/close.ts";
import type { Message } from "./core/message.ts";
import type { ResolvedSessionOptions } from "./options.ts";

/** What the user's handlers are, whatever a session is to them. */
export interface EngineHandlers<Session> {
  readonly open?: (session: Session) => unknown;
  readonly message?: (session: Session, message: Message) => unknown;
  readonly close?: (session: Session, status: CloseStatus) => unknown;
}

/** What a session goes by; all sessions of a server share one. */
export type SessionPlan<Session> = CommonPlan<Session> & RolePlan;

/** Clients mask each frame with a fresh key, servers do not mask (RFC 6455 section 5.1). */
export type RolePlan =
  | { readonly role: "server" }
  | { readonly role: "client"; readonly maskKey: () => number };

interface CommonPlan<Session> {
  readonly options: ResolvedSessionOptions;
  readonly timers: Timers;
  /** Who gets the messages; without it they wait for `receive()`. */
  readonly handlers?: EngineHandlers<Session>;
  /** Runs when the session is open; reading begins when what it promises has settled. */
  readonly opening?: () => Promise<void>;
  /** Runs with the session: when it returns, the session closes with 1000, when it throws, 1011. */
  readonly run?: (session: Session) => unknown;
  /** Is told of the end at once, before anybody who waits for `closed`. */
  readonly onEnd?: (session: Session) => void;
  /** Is told what the user's functions throw. */
  readonly onError?: (error: unknown) => void;
}
