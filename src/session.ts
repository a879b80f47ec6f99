/**
 * A session as its user sees it; what makes it go is {@linkcode SessionEngine}. The same class
 * serves both ends of a connection.
 *
 * @module
 */

import type { CloseStatus } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import type { Message } from "./core/message.ts";
import type { State } from "./core/protocol.ts";
import type { PreparedMessage } from "./core/prepared_message.ts";
import { ClosedError, rejected } from "./errors.ts";
import { MessageIterator } from "./inbox.ts";
import { type Sendable, toPayload } from "./payload.ts";
import type { RequestInfo } from "./request_info.ts";
import type { Addr } from "./runtime/conn.ts";
import { type EngineInit, SessionEngine } from "./session_engine.ts";
import type { Place } from "./session_table.ts";
import { createReadable, createWritable, type StreamPolicy } from "./streams.ts";

/**
 * What a session calls, for those who prefer handlers to iteration.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type SessionHandlers, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
 * const { port } = server.addr as TcpAddr;
 *
 * const messages: unknown[] = [];
 * const handlers: SessionHandlers<unknown> = {
 *   open: (session) => session.send("hello"),
 *   message(session, message) {
 *     messages.push(message);
 *     session.close(1000);
 *   },
 * };
 * const session = await connect(`ws://127.0.0.1:${port}/`, { handlers });
 * await session.closed;
 * assertEquals(messages, ["hello"]);
 * await server.shutdown();
 * ```
 */
export interface SessionHandlers<Data> {
  /** The session is open; a promise delays the first message. */
  readonly open?: (session: WebSocketSession<Data>) => unknown;
  /** A message arrived; a promise delays the next one. */
  readonly message?: (session: WebSocketSession<Data>, message: Message) => unknown;
  /** The session has ended. */
  readonly close?: (session: WebSocketSession<Data>, status: CloseStatus) => unknown;
}

/**
 * How to send one message.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type SendOptions, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0, compress: true }, async (session) => {
 *   const secret: SendOptions = { compress: false }; // its size tells nothing
 *   await session.send("password".repeat(1000), secret);
 * });
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { compress: true });
 * assertEquals((await session.receive())?.length, 8000);
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface SendOptions {
  /**
   * Whether to compress it where that was agreed on. @default {whether it reaches compress.threshold}
   */
  readonly compress?: boolean;
}

/** What a session is made of. Sessions are made by `serve()` and `connect()`. */
export interface SessionInit<Data> extends EngineInit<WebSocketSession<Data>> {
  readonly request: RequestInfo;
  readonly protocol: string;
  readonly extensions: string;
  readonly data: Data;
  /** The peer's address, if it is not the Conn's (behind a proxy). */
  readonly remoteAddr?: Addr;
}

/**
 * Sends a message that was encoded once for many sessions; returns whether the session took it.
 * Not a method, because only this package's servers need it.
 */
export let sendPrepared: <D>(session: WebSocketSession<D>, message: PreparedMessage) => boolean;

/**
 * Calls when the peer's Close has its turn; `isBehind` says whether senders are waiting then. Not a
 * method, because only the web's streams need it.
 */
export let whenPeerCloses: (session: WebSocketSession, call: (isBehind: boolean) => void) => void;

/** The place of a session in its server's table; not a property, because it is the server's alone. */
export let placeOf: <D>(session: WebSocketSession<D>) => Place<WebSocketSession<D>> | null;

/** Gives a session its place, or takes that back. */
export let setPlace: <D>(
  session: WebSocketSession<D>,
  place: Place<WebSocketSession<D>> | null,
) => void;

/**
 * An open WebSocket connection.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type TcpAddr, type WebSocketSession } from "@twoway/websocket";
 *
 * async function echo(session: WebSocketSession): Promise<void> {
 *   for await (const message of session) await session.send(message);
 * }
 * const server = await serve({ port: 0 }, echo);
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.send(Uint8Array.of(1, 2, 3));
 * assertEquals(await session.receive(), Uint8Array.of(1, 2, 3));
 * await session.close();
 * await server.shutdown();
 * ```
 */
export class WebSocketSession<Data = unknown> implements AsyncIterable<Message> {
  /** The request that opened the connection: method, target and headers. */
  readonly request: RequestInfo;
  /** The subprotocol agreed on; empty if none was. */
  readonly protocol: string;
  /** The extensions agreed on, as in the response; empty if none were. */
  readonly extensions: string;
  /** The peer's address, where the transport knows one. */
  readonly remoteAddr: Addr | undefined;
  /** Whatever you want to keep with the session; at first what `accept` returned. */
  data: Data;

  readonly #engine: SessionEngine<WebSocketSession<Data>>;
  #id: string | null = null;
  #place: Place<WebSocketSession<Data>> | null = null;

  /** Use `serve()` or `connect()`. */
  constructor(init: SessionInit<Data>) {
    this.request = init.request;
    this.protocol = init.protocol;
    this.extensions = init.extensions;
    this.remoteAddr = init.remoteAddr ?? init.conn.remoteAddr;
    this.data = init.data;
    this.#engine = new SessionEngine<WebSocketSession<Data>>(this, init);
  }

  /** Unique among all sessions of all processes: a UUID, made for the first who asks. */
  get id(): string {
    return this.#id ??= crypto.randomUUID();
  }

  /** How the session ended. Settles exactly once, when the connection is gone; never rejects. */
  get closed(): Promise<CloseStatus> {
    return this.#engine.closed;
  }

  /**
   * Whether messages can be sent: `"closing"` once a Close frame of ours is on its way, which also
   * answers the peer's, or can't be any more, because the peer has left without one or takes nothing;
   * `"closed"` when the connection is gone.
   */
  get state(): State {
    return this.#engine.state;
  }

  /**
   * Message bytes sent but not yet taken by the transport, before compression and framing; after the
   * end, what was lost.
   */
  get bufferedAmount(): number {
    return this.#engine.bufferedAmount;
  }

  /** The last round-trip time in milliseconds; `undefined` before the first pong. */
  get latency(): number | undefined {
    return this.#engine.keepalive.latency;
  }

  /**
   * Sends a message: text for a string, binary for an `ArrayBuffer` or any view of one. The bytes
   * are taken as they are at the call and never changed.
   *
   * Resolves when the backlog is below `limits.sendHighWaterMark`; waiting for it is how a sender
   * keeps pace with a slow peer. Rejects with a `TypeError` for other types, and with a
   * {@linkcode ClosedError} when the session is ending, has ended, or ends before the backlog has
   * fallen. A backlog of `limits.maxSendBacklog` bytes ends the session. The promise may be ignored.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, async (session) => {
   *   for (let i = 0; i < 1000; i++) await session.send(`line ${i}`); // as fast as it is read
   * });
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * let count = 0;
   * for await (const _ of session) count++;
   * assertEquals(count, 1000);
   * await server.shutdown();
   * ```
   */
  send(message: Sendable, options?: SendOptions): Promise<void> {
    let payload: string | Uint8Array;
    try {
      payload = toPayload(message);
    } catch (error) {
      return rejected(error);
    }
    return this.#engine.send(payload, options?.compress);
  }

  /**
   * The next message, or `null` once there will be none: the peer has closed, or the connection is
   * lost. Calls queue in order. Throws a `TypeError` on a session whose messages go to handlers.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, (session) => session.send("hello"));
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * assertEquals(await session.receive(), "hello");
   * assertEquals(await session.receive(), null); // there will be no more
   * await server.shutdown();
   * ```
   */
  receive(): Promise<Message | null> {
    return this.#engine.inbox.receive();
  }

  /** Iterates over the messages; leaving the loop leaves the session open. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined, undefined> {
    return new MessageIterator(this.#engine.inbox);
  }

  /**
   * The messages as a web stream: one chunk each, read from the connection as they are asked for.
   * Closes when the session ends in good order, and errors with a {@linkcode ClosedError} when it does
   * not; cancelling it closes the session with 1000. A session has one, beside which nothing else may
   * take messages.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, async (session) => {
   *   const upper = new TransformStream<string | Uint8Array, string>({
   *     transform: (message, controller) => controller.enqueue(`${message}`.toUpperCase()),
   *   });
   *   await session.readable.pipeThrough(upper).pipeTo(session.writable);
   * });
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * await session.send("hello");
   * assertEquals(await session.receive(), "HELLO");
   * await session.close(1000);
   * await server.shutdown();
   * ```
   */
  get readable(): ReadableStream<Message> {
    const streams = streamsOf(this);
    return streams.readable ??= createReadable(this, STREAM_POLICY);
  }

  /**
   * What to send as a web stream: each chunk is a message, and a write ends when the session is ready
   * for more. Closing and aborting it close the session with 1000; it errors with a
   * {@linkcode ClosedError} when the session has ended. A session has one.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, async (session) => {
   *   await new Blob(["hello"]).stream().pipeTo(session.writable); // and closes with 1000
   * });
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * assertEquals(await session.receive(), new TextEncoder().encode("hello"));
   * assertEquals(await session.receive(), null);
   * await server.shutdown();
   * ```
   */
  get writable(): WritableStream<Sendable> {
    const streams = streamsOf(this);
    return streams.writable ??= createWritable(this, STREAM_POLICY);
  }

  /**
   * Sends a ping and resolves with the round-trip time in milliseconds; a call while one is under
   * way waits for that one. Rejects with a {@linkcode ClosedError}. The promise may be ignored.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, {});
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * const milliseconds = await session.ping();
   * assertEquals(session.latency, milliseconds);
   * await session.close();
   * await server.shutdown();
   * ```
   */
  ping(): Promise<number> {
    return this.#engine.ping();
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7): a Close frame behind all messages sent, then
   * the peer's answer, then the end of the connection; `closeTimeout` bounds it. Without a code the
   * Close frame is empty. Resolves with how the session ended; a further call, also after the end,
   * just waits for that. What the peer sends meanwhile can still be received, as far as
   * `limits.receiveQueue` goes; from the first message on that has no place, all are dropped.
   *
   * Rejects, and sends nothing, with a `RangeError` for a code other than 1000–1003, 1007–1014 and
   * 3000–4999 or a reason of more than 123 bytes, and with a `TypeError` for other types, a lone
   * surrogate, or a reason without a code. The promise may be ignored.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, {
   *   close: (_session, { code, reason }) => assertEquals([code, reason], [4000, "lunch"]),
   * });
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * const { code, wasClean } = await session.close(4000, "lunch");
   * assertEquals([code, wasClean], [4000, true]); // the code of the peer's answer
   * await server.shutdown();
   * ```
   */
  close(code?: number, reason?: string): Promise<CloseStatus> {
    return this.#engine.close(code, reason);
  }

  /**
   * Drops the connection now; `error` becomes the status's `error`.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, {});
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * session.abort(new Error("Not what we have agreed on"));
   * const { code, wasClean } = await session.closed;
   * assertEquals([code, wasClean], [1006, false]);
   * await server.shutdown();
   * ```
   */
  abort(error?: unknown): void {
    this.#engine.abort(error);
  }

  /** Closes the session with code 1000 and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(CloseCode.Normal);
  }

  static {
    sendPrepared = (session, message) => session.#engine.sendPrepared(message);
    whenPeerCloses = (session, call) => session.#engine.whenPeerCloses(call);
    placeOf = (session) => session.#place;
    setPlace = (session, place) => session.#place = place;
  }
}

interface SessionStreams {
  readable?: ReadableStream<Message>;
  writable?: WritableStream<Sendable>;
}

/** The streams of the few sessions that are asked for them. */
const sessionStreams = new WeakMap<object, SessionStreams>();

function streamsOf(session: object): SessionStreams {
  let streams = sessionStreams.get(session);
  if (streams === undefined) sessionStreams.set(session, streams = {});
  return streams;
}

const toClosedError = (status: CloseStatus): ClosedError =>
  new ClosedError(`The session is closed (${status.code})`, status);

const STREAM_POLICY: StreamPolicy = {
  endsAtOnce: false, // the reply to a message comes before the peer's Close is answered
  toError: toClosedError,
  toClosedError,
  toClose: () => [CloseCode.Normal],
};
