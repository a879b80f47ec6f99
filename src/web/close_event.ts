/**
 * `CloseEvent`, which not every runtime has (Node before 23), or not as the web has it (Deno).
 *
 * @module
 */

import { makeEnumerable, toDictionary, toShort, toUsvString } from "./webidl.ts";

/**
 * What a {@linkcode CloseEvent} is made of.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CloseEvent, type CloseEventInit } from "@twoway/websocket/web";
 *
 * const init: CloseEventInit = { wasClean: true, code: 4000, reason: "lunch" };
 * const event = new CloseEvent("close", init);
 * assertEquals([event.code, event.reason], [4000, "lunch"]);
 * ```
 */
export interface CloseEventInit {
  // Those of every event, one by one: without the DOM, TypeScript has no name for them.
  /** Whether it goes on to the parents of its target. @default {false} */
  readonly bubbles?: boolean;
  /** Whether `preventDefault()` does anything. @default {false} */
  readonly cancelable?: boolean;
  /** Whether it leaves a shadow tree. @default {false} */
  readonly composed?: boolean;
  /** Whether the closing handshake was completed. @default {false} */
  readonly wasClean?: boolean;
  /** The close code. @default {0} */
  readonly code?: number;
  /** The reason. @default {""} */
  readonly reason?: string;
}

/**
 * How a WebSocket was closed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CloseEvent } from "@twoway/websocket/web";
 *
 * const target = new EventTarget(); // a stand-in for a socket, in a test
 * target.addEventListener("close", (event) => assertEquals((event as CloseEvent).code, 1001));
 * target.dispatchEvent(new CloseEvent("close", { code: 1001 }));
 * ```
 */
export interface CloseEvent extends Event {
  /** Whether both Close frames were exchanged before the connection ended. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 if its Close had none, 1006 if none came. */
  readonly code: number;
  /** The peer's reason. */
  readonly reason: string;
}

/** Ours, for runtimes without one, or with one that does not name itself. */
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

/**
 * What makes a {@linkcode CloseEvent}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CloseEvent, type CloseEventConstructor } from "@twoway/websocket/web";
 *
 * const lost = (Event: CloseEventConstructor) => new Event("close", { code: 1006 });
 * assertEquals(lost(CloseEvent).code, 1006);
 * ```
 */
export interface CloseEventConstructor {
  /** Like every other event's constructor. */
  new (type: string, init?: CloseEventInit): CloseEvent;
  /** What its events inherit. */
  readonly prototype: CloseEvent;
}

/**
 * The runtime's own `CloseEvent`, or ours where it has none, and on Deno, whose events say that they
 * are an `Event` and hide their members.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { CloseEvent } from "@twoway/websocket/web";
 *
 * const event = new CloseEvent("close"); // also on Node 20 and 22, which have none, and on Deno
 * assert(event instanceof Event && !event.wasClean);
 * ```
 */
export const CloseEvent: CloseEventConstructor = findCloseEvent() ?? OwnCloseEvent;

function findCloseEvent(): CloseEventConstructor | undefined {
  const { CloseEvent } = globalThis as unknown as { CloseEvent?: CloseEventConstructor };
  const name = Object.prototype.toString.call(CloseEvent?.prototype);
  return name === "[object CloseEvent]" ? CloseEvent : undefined;
}
