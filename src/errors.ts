/**
 * The errors that sessions, servers and clients raise, beside those of the protocol
 * (core/errors.ts).
 *
 * @module
 */

import type { CloseStatus } from "./core/close.ts";

/**
 * The session has ended, or is ending, and can't do what was asked.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { ClosedError, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, {});
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.close(1000);
 * const error = await assertRejects(() => session.send("too late"), ClosedError);
 * assertEquals(error.status?.code, 1000);
 * await server.shutdown();
 * ```
 */
export class ClosedError extends Error {
  /** How the session ended; `undefined` while its closing handshake is still under way. */
  readonly status: CloseStatus | undefined;

  /** Made by sessions; `status` is how they ended. */
  constructor(message: string, status?: CloseStatus) {
    super(message, status?.error === undefined ? undefined : { cause: status.error });
    this.name = "ClosedError";
    this.status = status;
  }
}

/** For a call that came too late, named by `action`; `status` is `null` while the session still closes. */
export function createClosedError(action: string, status: CloseStatus | null): ClosedError {
  if (status === null) return new ClosedError(`Cannot ${action}: the session is closing`);
  const why = status.error instanceof Error ? `: ${status.error.message}` : "";
  return new ClosedError(
    `Cannot ${action}: the session is closed (${status.code})${why}`,
    status,
  );
}

/**
 * One of the time limits ran out; the message names the option that sets it.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { connect, TimeoutError } from "@twoway/websocket";
 * import { memoryPair } from "@twoway/websocket/testing";
 *
 * const [conn] = memoryPair(); // nobody answers at its other end
 * const late = () => connect("ws://test/", { conn, handshakeTimeout: 20 });
 * await assertRejects(late, TimeoutError, "handshakeTimeout");
 * ```
 */
export class TimeoutError extends Error {
  /** Made by whatever ran out of time. */
  constructor(message: string) {
    super(message);
    this.name = "TimeoutError";
  }
}

/** For more to send than may wait. */
export function createBacklogError(maxSendBacklog: number): RangeError {
  return new RangeError(`The backlog has reached ${maxSendBacklog} bytes (limits.maxSendBacklog)`);
}

/** A promise rejected with `error` that nobody has to look at. */
export function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}

/**
 * A way to report errors that never throws: to `onError`, or to the console, which also learns of
 * it when `onError` itself fails.
 */
export function createReporter(
  who: string,
  onError: ((error: unknown) => void) | undefined,
): (error: unknown) => void {
  return (error) => {
    try {
      if (onError === undefined) console.error(`${who}:`, error);
      else onError(error);
    } catch (failure) {
      console.error(`${who}: onError failed:`, failure, "while told of:", error);
    }
  };
}
