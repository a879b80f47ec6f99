/**
 * `WebSocketStream`, as Chromium ships it: a WebSocket as two streams, with backpressure both ways.
 *
 * @module
 */

import type { ConnectOptions } from "../client.ts";
import { sharedTimers } from "../clock.ts";
import { CloseCode } from "../core/close_code.ts";
import type { CloseStatus } from "../core/close.ts";
import { HandshakeError } from "../core/errors.ts";
import { createClosedError } from "../errors.ts";
import type { Message } from "../core/message.ts";
import { type WebSocketSession, whenPeerCloses } from "../session.ts";
import {
  createReadable,
  createWritable,
  type StreamedSession,
  type StreamPolicy,
} from "../streams.ts";
import { connectInTurn } from "./connecting.ts";
import { toConnectOptions, type WebConnectOptions } from "./options.ts";
import { checkOffers, parseWebSocketUrl } from "./url.ts";
import { makeEnumerable, toBytes, toDictionary, toStrings, toUsvString } from "./webidl.ts";
import {
  createWebSocketError,
  readCloseInfo,
  toCloseArguments,
  type WebSocketCloseInfo,
  type WebSocketError,
} from "./websocket_error.ts";

/**
 * What may be written: binary for a buffer or a view, else text.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { type WebSocketChunk, WebSocketStream } from "@twoway/websocket/web";
 *
 * const sizes: number[] = [];
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) sizes.push(message.length);
 * });
 * const { port } = server.addr as TcpAddr;
 * const { writable } = await new WebSocketStream(`ws://127.0.0.1:${port}/`).opened;
 * const chunks: WebSocketChunk[] = ["text", Uint8Array.of(1, 2, 3), new ArrayBuffer(8)];
 * const writer = writable.getWriter();
 * for (const chunk of chunks) await writer.write(chunk);
 * await writer.close();
 * await server.shutdown();
 * assertEquals(sizes, [4, 3, 8]);
 * ```
 */
export type WebSocketChunk = string | ArrayBuffer | ArrayBufferView;

/**
 * An open connection.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { type WebSocketOpenInfo, WebSocketStream } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) await session.send(`${message}, too`);
 * });
 * const { port } = server.addr as TcpAddr;
 * const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
 * const { readable, writable }: WebSocketOpenInfo = await stream.opened;
 * const [reader, writer] = [readable.getReader(), writable.getWriter()];
 * await writer.write("hello");
 * assertEquals((await reader.read()).value, "hello, too");
 * stream.close();
 * await stream.closed;
 * await server.shutdown();
 * ```
 */
export interface WebSocketOpenInfo {
  /** The messages received: text as a string, binary as a `Uint8Array`. */
  readonly readable: ReadableStream<Message>;
  /** The messages to send. */
  readonly writable: WritableStream<WebSocketChunk>;
  /** The extensions agreed on. */
  readonly extensions: string;
  /** The subprotocol agreed on. */
  readonly protocol: string;
}

/**
 * Options of {@linkcode WebSocketStream}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocketStream, type WebSocketStreamOptions } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0, protocols: ["chat.v1"] }, () => {});
 * const { port } = server.addr as TcpAddr;
 * const options: WebSocketStreamOptions = {
 *   protocols: ["chat.v1"],
 *   signal: AbortSignal.timeout(5000), // gives up connecting
 * };
 * const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`, options);
 * assertEquals((await stream.opened).protocol, "chat.v1");
 * await stream.closed;
 * await server.shutdown();
 * ```
 */
export interface WebSocketStreamOptions extends WebConnectOptions {
  /** Subprotocols to offer, in order of preference. @default {[]} */
  readonly protocols?: readonly string[];
}

/**
 * A WebSocket client as two streams. Throws a `SyntaxError` `DOMException` for a URL or subprotocols
 * that are none, and a `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocketStream } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 *
 * const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
 * const { readable } = await stream.opened;
 * for await (const message of readable) assertEquals(message, "hello");
 * assertEquals(await stream.closed, { closeCode: 1000, reason: "" });
 * await server.shutdown();
 * ```
 */
export class WebSocketStream {
  readonly #url: string;
  readonly #connecting = new AbortController();
  readonly #policy: StreamPolicy = createPolicy();
  readonly #opened: Promise<WebSocketOpenInfo>;
  readonly #closed: Promise<Required<WebSocketCloseInfo>>;
  #session: WebSocketSession | null = null;
  /** The peer has closed while a write was under way: that is no clean end. */
  #isCut = false;

  /** Connects; see {@linkcode WebSocketStream}. */
  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    if (arguments.length === 0) throw new TypeError("WebSocketStream needs a URL");
    const address = toUsvString(url);
    const { protocols = [], ...init } = toDictionary(options, "WebSocketStreamOptions");
    const offers = toStrings(protocols, "protocols");
    const connectOptions = toConnectOptions(init, this.#connecting);
    const target = parseWebSocketUrl(address);
    checkOffers(offers);
    this.#url = target.href;
    // One message ahead: the rest waits on the way.
    const limits = { receiveQueue: 1, ...connectOptions.limits };
    const session = this.#connect(target, { ...connectOptions, limits, protocols: offers });
    this.#opened = session.then((session) => this.#open(session));
    this.#closed = session.then((session) => this.#end(session));
    // Whoever does not look at one of them need not be told.
    this.#opened.catch(() => {});
    this.#closed.catch(() => {});
  }

  /** The URL, its scheme `ws:` or `wss:`. */
  get url(): string {
    return this.#url;
  }

  /**
   * Resolves when the connection is open. Rejects with a {@linkcode WebSocketError} if it can't be
   * made, and with the signal's reason.
   */
  get opened(): Promise<WebSocketOpenInfo> {
    return #opened in this ? this.#opened : Promise.reject(foreign("opened"));
  }

  /**
   * Resolves with the peer's code and reason when the connection has ended in good order; rejects with
   * a {@linkcode WebSocketError} when it has not, or was never made. It has not, either, when the peer
   * closed while a write was under way; that write rejects with an `InvalidStateError`.
   */
  get closed(): Promise<Required<WebSocketCloseInfo>> {
    return #closed in this ? this.#closed : Promise.reject(foreign("closed"));
  }

  /**
   * Starts the closing handshake. Messages that still wait to be written are lost, and their writes
   * reject: to send them first, close the writable stream. What the peer sends meanwhile can be read
   * as far as there is room for it. While the connection is being made, that fails. Throws an `InvalidAccessError` `DOMException` for a code other than 1000 and
   * 3000–4999, a `SyntaxError` one for a reason of more than 123 bytes, and a `TypeError` for other
   * types.
   */
  close(closeInfo?: WebSocketCloseInfo): void;
  close(...[closeInfo]: [closeInfo?: unknown]): void {
    const close = readCloseInfo(closeInfo);
    if (this.#session !== null) void this.#session.close(...close);
    else this.#connecting.abort(createWebSocketError("The stream was closed"));
  }

  async #connect(url: URL, options: ConnectOptions): Promise<WebSocketSession> {
    const { signal, protocols = [] } = options;
    try {
      // Whoever waits for `opened` may write before the peer's first message or Close has its turn.
      const session = await connectInTurn(url, options, () => sharedTimers.sharedTurn());
      if (signal!.aborted) {
        session.abort(signal!.reason);
        throw signal!.reason;
      }
      if (protocols.length > 0 && session.protocol === "") {
        const error = new HandshakeError("The server chose none of the subprotocols offered");
        session.abort(error);
        throw error;
      }
      whenPeerCloses(session, (isBehind) => this.#isCut = isBehind);
      return this.#session = session;
    } catch (error) {
      if (signal!.aborted) throw signal!.reason;
      throw createWebSocketError(messageOf(error), { closeCode: CloseCode.Abnormal, cause: error });
    }
  }

  #open(session: WebSocketSession): WebSocketOpenInfo {
    const { extensions, protocol } = session;
    const streamed: StreamedSession<WebSocketChunk> = {
      closed: this.#status(session),
      [Symbol.asyncIterator]: () => session[Symbol.asyncIterator](),
      close: (...close) => session.close(...close).then(() => this.#status(session)),
      send: (chunk) => this.#send(session, toBytes(chunk) ?? toUsvString(chunk)),
    };
    const readable = createReadable(streamed, this.#policy);
    const writable = createWritable(streamed, {
      ...this.#policy,
      toError: (status) =>
        this.#isCut ? this.#policy.toClosedError(status) : this.#policy.toError(status),
    });
    return { readable, writable, extensions, protocol };
  }

  /** A write that the peer's Close has overtaken fails, though its bytes may still have left. */
  async #send(session: WebSocketSession, payload: string | Uint8Array): Promise<void> {
    await session.send(payload);
    if (this.#isCut) throw createClosedError("send", null);
  }

  async #status(session: WebSocketSession): Promise<CloseStatus> {
    const status = await session.closed;
    if (!this.#isCut || !status.wasClean) return status;
    const error = new Error("The server closed the connection while a message was being written");
    return { ...status, wasClean: false, error };
  }

  async #end(session: WebSocketSession): Promise<Required<WebSocketCloseInfo>> {
    const status = await this.#status(session);
    if (!status.wasClean) throw this.#policy.toError(status);
    return { closeCode: status.code, reason: status.reason };
  }
}

Object.defineProperty(WebSocketStream.prototype, Symbol.toStringTag, {
  value: "WebSocketStream",
  configurable: true,
});
makeEnumerable(WebSocketStream.prototype, ["url", "opened", "closed", "close"]);

/** One error for both streams and `closed`, and one for what is written too late: the same objects. */
function createPolicy(): StreamPolicy {
  let error: WebSocketError | null = null;
  let closedError: DOMException | null = null;
  return {
    endsAtOnce: true,
    toError: ({ code, reason, error: cause }) =>
      error ??= createWebSocketError(
        cause === undefined ? `The connection was lost (${code})` : messageOf(cause),
        { closeCode: code, reason, cause },
      ),
    toClosedError: () =>
      closedError ??= new DOMException("The connection has been closed", "InvalidStateError"),
    toClose: toCloseArguments,
  };
}

/** An attribute that is a promise does not throw on a foreign `this`: it rejects (Web IDL). */
function foreign(name: string): TypeError {
  return new TypeError(`${name} belongs to a WebSocketStream, which this is not`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
