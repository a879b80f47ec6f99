/**
 * `CloseEvent`, which not every runtime has (Node before 23).
 *
 * @module
 */

import { makeEnumerable, toDictionary, toShort, toUsvString } from "./webidl.ts";

/** What a {@linkcode CloseEvent} is made of. */
export interface CloseEventInit extends EventInit {
  /** Whether the closing handshake was completed. @default {false} */
  readonly wasClean?: boolean;
  /** The close code. @default {0} */
  readonly code?: number;
  /** The reason. @default {""} */
  readonly reason?: string;
}

/** How a WebSocket was closed. */
export interface CloseEvent extends Event {
  /** Whether both Close frames were exchanged before the connection ended. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 if its Close had none, 1006 if none came. */
  readonly code: number;
  /** The peer's reason. */
  readonly reason: string;
}

/** Ours, for runtimes without one. */
export class OwnCloseEvent extends Event implements CloseEvent {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, init: CloseEventInit = {}) {
    if (arguments.length === 0) throw new TypeError("CloseEvent needs a type");
    super(type, init);
    const { wasClean = false, code = 0, reason = "" } = toDictionary(init, "CloseEventInit");
    this.#wasClean = Boolean(wasClean);
    this.#code = toShort(code);
    this.#reason = toUsvString(reason);
  }

  get wasClean(): boolean {
    return this.#wasClean;
  }

  get code(): number {
    return this.#code;
  }

  get reason(): string {
    return this.#reason;
  }

  get [Symbol.toStringTag](): string {
    return "CloseEvent";
  }
}

Object.defineProperty(OwnCloseEvent, "name", { value: "CloseEvent", configurable: true });
makeEnumerable(OwnCloseEvent.prototype, ["wasClean", "code", "reason"]);

/** What makes a {@linkcode CloseEvent}. */
export interface CloseEventConstructor {
  /** Like every other event's constructor. */
  new (type: string, init?: CloseEventInit): CloseEvent;
  /** What its events inherit. */
  readonly prototype: CloseEvent;
}

/** The runtime's own `CloseEvent`, or ours where it has none. */
export const CloseEvent: CloseEventConstructor =
  (globalThis as unknown as { CloseEvent?: CloseEventConstructor }).CloseEvent ?? OwnCloseEvent;
