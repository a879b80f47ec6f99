/**
 * A session's messages as web streams: one chunk is one message, and both directions wait for the
 * slower side.
 *
 * @module
 */

import type { CloseStatus } from "./core/close.ts";
import type { Message } from "./core/message.ts";

/** The session that the streams belong to. */
export interface StreamedSession<Chunk> {
  readonly closed: Promise<CloseStatus>;
  receive(): Promise<Message | null>;
  send(message: Chunk): Promise<void>;
  close(code?: number, reason?: string): Promise<CloseStatus>;
}

/** What the streams tell of the session's end, and the session of theirs. */
export interface StreamPolicy {
  /** The error of both streams when the session did not end in good order. */
  readonly toError: (status: CloseStatus) => unknown;
  /** The error of the writable one when it did; without it only writes fail, and piping ends well. */
  readonly toClosedError?: (status: CloseStatus) => unknown;
  /** The close code and reason for a stream that is cancelled, aborted or closed with `reason`. */
  readonly toClose: (reason: unknown) => readonly [code?: number, reason?: string];
}

/** The messages received; cancelling closes the session. */
export function createReadable<Chunk>(
  session: StreamedSession<Chunk>,
  { toError, toClose }: StreamPolicy,
): ReadableStream<Message> {
  return new ReadableStream<Message>({
    async pull(controller) {
      const message = await session.receive();
      if (message !== null) return controller.enqueue(message);
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
  { toError, toClosedError, toClose }: StreamPolicy,
): WritableStream<Chunk> {
  return new WritableStream<Chunk>({
    start(controller) {
      session.closed.then((status) => {
        if (!status.wasClean) controller.error(toError(status));
        else if (toClosedError !== undefined) controller.error(toClosedError(status));
      });
    },
    write: (message) => session.send(message),
    async close() {
      const status = await session.close(...toClose(undefined));
      if (!status.wasClean) throw toError(status);
    },
    async abort(reason) {
      await session.close(...toClose(reason));
    },
  });
}
