/**
 * A session's messages as web streams: one chunk is one message, and both directions wait for the
 * slower side.
 *
 * @module
 */

import { sharedTimers } from "./clock.ts";
import type { CloseStatus } from "./core/close.ts";
import type { Message } from "./core/message.ts";
import { ClosedError } from "./errors.ts";

/** The session that the streams belong to. */
export interface StreamedSession<Chunk> extends AsyncIterable<Message> {
  readonly closed: Promise<CloseStatus>;
  send(message: Chunk): Promise<void>;
  close(code?: number, reason?: string): Promise<CloseStatus>;
}

/** What the streams tell of the session's end, and the session of theirs. */
export interface StreamPolicy {
  /**
   * Whether the end is told at once: a chunk counts as dealt with when it is in the stream, and what
   * is unread is lost with the connection. Else the peer's Close waits until it has been read.
   */
  readonly endsAtOnce: boolean;
  /** The error of both streams when the session did not end in good order. */
  readonly toError: (status: CloseStatus) => unknown;
  /** The error of the writable one when it did. */
  readonly toClosedError: (status: CloseStatus) => unknown;
  /** The close code and reason for a stream that is cancelled, aborted or closed with `reason`. */
  readonly toClose: (reason: unknown) => readonly [code?: number, reason?: string];
}

/** The messages received; cancelling closes the session. */
export function createReadable<Chunk>(
  session: StreamedSession<Chunk>,
  { endsAtOnce, toError, toClose }: StreamPolicy,
): ReadableStream<Message> {
  const messages = session[Symbol.asyncIterator]();
  return new ReadableStream<Message>({
    start(controller) {
      if (!endsAtOnce) return;
      session.closed.then((status) => status.wasClean || controller.error(toError(status)));
    },
    async pull(controller) {
      const { done, value } = await messages.next();
      if (done !== true) {
        controller.enqueue(value);
        if (endsAtOnce) await messages.return?.(); // it counts as dealt with
        return;
      }
      const status = await session.closed;
      if (status.wasClean) controller.close();
      else controller.error(toError(status));
    },
    async cancel(reason) {
      await session.close(...toClose(reason));
    },
  });
}

/**
 * The messages to send: a write ends when the session is ready for more, closing and aborting close
 * the session.
 */
export function createWritable<Chunk>(
  session: StreamedSession<Chunk>,
  { endsAtOnce, toError, toClosedError, toClose }: StreamPolicy,
): WritableStream<Chunk> {
  const errorOf = (status: CloseStatus): unknown =>
    status.wasClean ? toClosedError(status) : toError(status);
  return new WritableStream<Chunk>({
    start(controller) {
      session.closed.then(async (status) => {
        // Whoever pipes the readable one into this learns first that it has closed, and closes this.
        if (status.wasClean && !endsAtOnce) await sharedTimers.sharedTurn();
        controller.error(errorOf(status));
      });
      // The sink's own abort() is called only when the write under way has ended.
      const { signal } = controller;
      signal.addEventListener("abort", () => void session.close(...toClose(signal.reason)));
    },
    async write(message) {
      try {
        await session.send(message);
      } catch (error) {
        if (!(error instanceof ClosedError)) throw error;
        throw errorOf(await session.closed);
      }
    },
    async close() {
      const status = await session.close(...toClose(undefined));
      if (!status.wasClean) throw toError(status);
    },
    async abort(reason) {
      await session.close(...toClose(reason));
    },
  });
}
