/**
 * `WebSocketError`: why a {@linkcode WebSocketStream} did not end in good order.
 *
 * @module
 */

import { CloseCode } from "../core/close_code.ts";
import { checkCloseArguments } from "./close_arguments.ts";
import { makeEnumerable, toDictionary, toEnforcedShort, toUsvString } from "./webidl.ts";

/**
 * How a stream is closed, or was.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { type WebSocketCloseInfo, WebSocketStream } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0 }, {});
 * const { port } = server.addr as TcpAddr;
 * const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
 * await stream.opened;
 * const lunch: WebSocketCloseInfo = { closeCode: 4000, reason: "lunch" };
 * stream.close(lunch);
 * assertEquals(await stream.closed, { closeCode: 4000, reason: "" }); // the peer's answer
 * await server.shutdown();
 * ```
 */
export interface WebSocketCloseInfo {
  /** The close code; none for a Close frame without one. */
  readonly closeCode?: number;
  /** The reason. @default {""} */
  readonly reason?: string;
}

/** Makes an error with what a peer sent, which may be more than scripts may send. */
export let createWebSocketError: (message: string, received?: ReceivedError) => WebSocketError;

/** What is known of an end that was not in good order. */
interface ReceivedError extends ErrorOptions {
  readonly closeCode?: number | null;
  readonly reason?: string;
}

/**
 * A WebSocket failed, or is to be closed with a code and a reason. Throws what
 * {@linkcode WebSocketStream.close} throws for a code or reason that may not be sent.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { WebSocketError, WebSocketStream } from "@twoway/websocket/web";
 *
 * const stream = new WebSocketStream("ws://127.0.0.1:1/"); // nobody listens there
 * const error = await assertRejects(() => stream.opened, WebSocketError);
 * assertEquals(error.closeCode, 1006);
 * ```
 */
export class WebSocketError extends DOMException {
  #closeCode: number | null;
  #reason: string;

  /** A reason without a code gets the code 1000. */
  constructor(message: string = "", init: WebSocketCloseInfo = {}) {
    super(message, "WebSocketError");
    const [code, reason] = readCloseInfo(init);
    this.#closeCode = code ?? null;
    this.#reason = reason ?? "";
  }

  /** The close code; `null` if there is none. */
  get closeCode(): number | null {
    return this.#closeCode;
  }

  /** The reason; empty if there is none. */
  get reason(): string {
    return this.#reason;
  }

  static {
    createWebSocketError = (message, { closeCode = null, reason = "", cause } = {}) => {
      const error = new WebSocketError(message);
      error.#closeCode = closeCode;
      error.#reason = reason;
      if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause });
      return error;
    };
  }
}

Object.defineProperty(WebSocketError.prototype, Symbol.toStringTag, {
  value: "WebSocketError",
  configurable: true,
});
makeEnumerable(WebSocketError.prototype, ["closeCode", "reason"]);

/** What to close with; throws for what is no {@linkcode WebSocketCloseInfo} or may not be sent. */
export function readCloseInfo(info: unknown): [code?: number, reason?: string] {
  const { closeCode, reason = "" } = toDictionary(info, "WebSocketCloseInfo");
  return checkCloseArguments(
    closeCode === undefined ? undefined : toEnforcedShort(closeCode, "closeCode"),
    toUsvString(reason),
  );
}

/** What to close with when a stream is cancelled or aborted: only a WebSocketError says how. */
export function toCloseArguments(reason: unknown): [code?: number, reason?: string] {
  if (!(reason instanceof WebSocketError) || reason.closeCode === null) return [];
  // One that a peer's end has made may have a code that must not be sent.
  const canBeSent = reason.closeCode === CloseCode.Normal || reason.closeCode >= 3000;
  return canBeSent ? [reason.closeCode, reason.reason] : [];
}
