/**
 * Event handler attributes, such as `onmessage` (HTML section 8.1.8.1).
 *
 * @module
 */

import { isObject } from "./webidl.ts";

/**
 * What is called for events of one type.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type CloseEvent, type EventHandler, WebSocket } from "@twoway/websocket/web";
 *
 * const codes: number[] = [];
 * const onclose: EventHandler<CloseEvent> = ({ code }) => codes.push(code);
 * const socket = new WebSocket("ws://127.0.0.1:1/"); // nobody listens there
 * socket.onclose = onclose;
 * await new Promise((resolve) => socket.addEventListener("close", resolve));
 * assertEquals(codes, [1006]);
 * ```
 */
export type EventHandler<E extends Event> = ((event: E) => unknown) | null;

/** The event handler attributes of one target. */
export class EventHandlers {
  readonly #target: EventTarget;
  readonly #handlers = new Map<string, { value: object; listener: (event: Event) => void }>();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  /** What an attribute returns. */
  get(type: string): object | null {
    return this.#handlers.get(type)?.value ?? null;
  }

  /**
   * Sets an attribute. A handler keeps its place among the listeners when another one takes its
   * place, and loses it when it is removed; what is no object removes it.
   */
  set(type: string, value: unknown): void {
    const handler = this.#handlers.get(type);
    if (!isObject(value)) {
      if (handler === undefined) return;
      this.#target.removeEventListener(type, handler.listener);
      this.#handlers.delete(type);
    } else if (handler !== undefined) {
      handler.value = value;
    } else {
      const added = {
        value: value as object,
        listener: (event: Event): void => {
          const { value } = added;
          if (typeof value === "function") value.call(this.#target, event);
        },
      };
      this.#handlers.set(type, added);
      this.#target.addEventListener(type, added.listener);
    }
  }
}
