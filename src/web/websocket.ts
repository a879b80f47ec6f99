/**
 * The web's `WebSocket` (WHATWG WebSockets) over `connect()`: the same on every runtime, and a
 * drop-in for the browser's.
 *
 * @module
 */

import { sharedTimers } from "../clock.ts";
import type { ConnectOptions } from "../client.ts";
import { CloseCode } from "../core/close_code.ts";
import type { CloseStatus } from "../core/close.ts";
import { HandshakeError } from "../core/errors.ts";
import type { Message } from "../core/message.ts";
import type { WebSocketSession } from "../session.ts";
import { CloseEvent } from "./close_event.ts";
import { checkCloseArguments } from "./close_arguments.ts";
import { connectInTurn } from "./connecting.ts";
import { type EventHandler, EventHandlers } from "./event_handlers.ts";
import { toConnectOptions, type WebConnectOptions } from "./options.ts";
import { SendQueue } from "./send_queue.ts";
import { checkOffers, parseWebSocketUrl } from "./url.ts";
import {
  isObject,
  iterateStrings,
  makeEnumerable,
  toBytes,
  toClampedShort,
  toDictionary,
  toUsvString,
} from "./webidl.ts";

/**
 * The second argument of {@linkcode WebSocket} where it is no list of subprotocols.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocket, type WebSocketInit } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0, protocols: ["chat.v1"] }, () => {});
 * const { port } = server.addr as TcpAddr;
 *
 * const init: WebSocketInit = { protocols: ["chat.v1"], headers: { cookie: "id=7" } };
 * const socket = new WebSocket(`ws://127.0.0.1:${port}/`, init);
 * await new Promise((resolve) => socket.onopen = resolve);
 * assertEquals(socket.protocol, "chat.v1");
 * await new Promise((resolve) => socket.onclose = resolve);
 * await server.shutdown();
 * ```
 */
export interface WebSocketInit extends WebConnectOptions {
  /** Subprotocols to offer, in order of preference. @default {[]} */
  readonly protocols?: string | readonly string[];
}

/**
 * How binary messages are handed out.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { type BinaryType, WebSocket } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0 }, (session) => session.send(Uint8Array.of(1, 2, 3)));
 * const { port } = server.addr as TcpAddr;
 *
 * const binaryType: BinaryType = "arraybuffer";
 * const socket = Object.assign(new WebSocket(`ws://127.0.0.1:${port}/`), { binaryType });
 * socket.onmessage = ({ data }) => assert(data instanceof ArrayBuffer);
 * await new Promise((resolve) => socket.onclose = resolve);
 * await server.shutdown();
 * ```
 */
export type BinaryType = "blob" | "arraybuffer";

/**
 * The events of a {@linkcode WebSocket}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocket, type WebSocketEventMap } from "@twoway/websocket/web";
 *
 * const once = <K extends keyof WebSocketEventMap>(
 *   socket: WebSocket,
 *   type: K,
 * ): Promise<WebSocketEventMap[K]> =>
 *   new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
 *
 * const server = await serve({ port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 * const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
 * assertEquals((await once(socket, "message")).data, "hello");
 * assertEquals((await once(socket, "close")).code, 1000);
 * await server.shutdown();
 * ```
 */
export interface WebSocketEventMap {
  /** The connection is open. */
  readonly open: Event;
  /** A message has come. */
  readonly message: MessageEvent;
  /** The connection has failed, or could not be made; `close` follows. */
  readonly error: WebSocketErrorEvent;
  /** The connection is gone. */
  readonly close: CloseEvent;
}

/**
 * A plain `Event` that also says what went wrong.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocket, type WebSocketErrorEvent } from "@twoway/websocket/web";
 *
 * const accept = () => new Response("Who are you?", { status: 401 });
 * const server = await serve({ port: 0, accept }, () => {});
 * const { port } = server.addr as TcpAddr;
 *
 * const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
 * const event = await new Promise<WebSocketErrorEvent>((resolve) => socket.onerror = resolve);
 * assert(event.message?.includes("401")); // browsers do not say
 * await server.shutdown();
 * ```
 */
export interface WebSocketErrorEvent extends Event {
  /** What went wrong. */
  readonly error?: unknown;
  /** Its message. */
  readonly message?: string;
}

/**
 * Where a {@linkcode WebSocket} stands: connecting, open, closing, closed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ReadyState, WebSocket } from "@twoway/websocket/web";
 *
 * const names: Record<ReadyState, string> = { 0: "waiting", 1: "open", 2: "closing", 3: "closed" };
 * const socket = new WebSocket("ws://127.0.0.1:1/");
 * assertEquals(names[socket.readyState], "waiting");
 * await new Promise((resolve) => socket.onclose = resolve); // nobody listens there
 * assertEquals(names[socket.readyState], "closed");
 * ```
 */
export type ReadyState = 0 | 1 | 2 | 3;

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * A WebSocket client as browsers have it. Where nothing else is said, it follows the standard to the
 * letter; `limits.maxMessageSize` is 64 MiB here, `limits.maxSendBacklog` 256 MiB, and compression is
 * offered.
 *
 * Throws a `SyntaxError` `DOMException` for a URL or subprotocols that are none, and a `TypeError` or
 * `RangeError` for wrong options.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { WebSocket } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 *
 * const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
 * socket.onmessage = ({ data }) => assertEquals(data, "hello");
 * await new Promise((resolve) => socket.onclose = resolve);
 * await server.shutdown();
 * ```
 */
export class WebSocket extends EventTarget {
  /** The connection is being made. */
  declare static readonly CONNECTING: 0;
  /** Messages can be exchanged. */
  declare static readonly OPEN: 1;
  /** The closing handshake is under way. */
  declare static readonly CLOSING: 2;
  /** The connection is gone, or could not be made. */
  declare static readonly CLOSED: 3;
  /** The connection is being made. */
  declare readonly CONNECTING: 0;
  /** Messages can be exchanged. */
  declare readonly OPEN: 1;
  /** The closing handshake is under way. */
  declare readonly CLOSING: 2;
  /** The connection is gone, or could not be made. */
  declare readonly CLOSED: 3;

  readonly #url: string;
  readonly #origin: string;
  readonly #handlers: EventHandlers = new EventHandlers(this);
  readonly #connecting = new AbortController();
  #state: ReadyState = CONNECTING;
  #session: WebSocketSession | null = null;
  #binaryType: BinaryType = "blob";
  #protocol = "";
  #extensions = "";
  readonly #sends = new SendQueue();

  /** Connects; see {@linkcode WebSocket}. `protocols` may be a list, one name, or options. */
  constructor(
    url: string | URL,
    protocols: string | readonly string[] | WebSocketInit | undefined = undefined,
  ) {
    if (arguments.length === 0) throw new TypeError("WebSocket needs a URL");
    super();
    const address = toUsvString(url);
    const { offers, init } = readProtocols(protocols);
    const options = toConnectOptions(init, this.#connecting);
    const target = parseWebSocketUrl(address);
    checkOffers(offers);
    this.#url = target.href;
    this.#origin = `${target.protocol}//${target.host}`;
    void this.#connect(target, offers, options);
  }

  /** The URL, its scheme `ws:` or `wss:`. */
  get url(): string {
    return this.#url;
  }

  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  get readyState(): ReadyState {
    return this.#currentState();
  }

  /** Bytes of messages sent but not yet taken by the network; grows only, once it is closed. */
  get bufferedAmount(): number {
    return this.#sends.amount;
  }

  /** The extensions agreed on. */
  get extensions(): string {
    return this.#extensions;
  }

  /** The subprotocol agreed on. */
  get protocol(): string {
    return this.#protocol;
  }

  /** How binary messages are handed out. @default {"blob"} */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    const before = this.#binaryType; // a foreign `this` is refused, whatever is set
    const text = `${type}`;
    this.#binaryType = text === "blob" || text === "arraybuffer" ? text : before;
  }

  /** Called when the connection is open. */
  get onopen(): EventHandler<Event> {
    return this.#handlers.get("open") as EventHandler<Event>;
  }

  set onopen(handler: EventHandler<Event>) {
    this.#handlers.set("open", handler);
  }

  /** Called for each message. */
  get onmessage(): EventHandler<MessageEvent> {
    return this.#handlers.get("message") as EventHandler<MessageEvent>;
  }

  set onmessage(handler: EventHandler<MessageEvent>) {
    this.#handlers.set("message", handler);
  }

  /** Called when the connection has failed. */
  get onerror(): EventHandler<WebSocketErrorEvent> {
    return this.#handlers.get("error") as EventHandler<WebSocketErrorEvent>;
  }

  set onerror(handler: EventHandler<WebSocketErrorEvent>) {
    this.#handlers.set("error", handler);
  }

  /** Called when the connection is gone. */
  get onclose(): EventHandler<CloseEvent> {
    return this.#handlers.get("close") as EventHandler<CloseEvent>;
  }

  set onclose(handler: EventHandler<CloseEvent>) {
    this.#handlers.set("close", handler);
  }

  /**
   * Sends a message: binary for a buffer, a view or a `Blob`, else text. Its bytes are taken as they
   * are at the call. Dropped, but counted by `bufferedAmount`, once the socket is closing. Throws an
   * `InvalidStateError` `DOMException` while it connects, and a `TypeError` for shared or resizable
   * memory.
   */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void {
    const readyState = this.#currentState();
    if (arguments.length === 0) throw new TypeError("send() needs a message");
    const message = data instanceof Blob ? data : toBytes(data) ?? toUsvString(data);
    if (readyState === CONNECTING) {
      throw new DOMException("Cannot send: the socket is connecting", "InvalidStateError");
    }
    if (readyState === OPEN) this.#sends.add(message);
    else this.#sends.lose(message);
  }

  /**
   * Closes the connection behind all messages sent; without a code the Close frame has none. While
   * the socket connects, that fails. Throws an `InvalidAccessError` `DOMException` for a code other
   * than 1000 and 3000–4999, and a `SyntaxError` one for a reason of more than 123 bytes.
   */
  close(code?: number, reason?: string): void;
  close(...[code, reason]: [code?: unknown, reason?: unknown]): void {
    const readyState = this.#currentState();
    const close = checkCloseArguments(
      code === undefined ? undefined : toClampedShort(code),
      reason === undefined ? "" : toUsvString(reason),
    );
    if (readyState >= CLOSING) return;
    this.#state = CLOSING;
    if (readyState === CONNECTING) {
      this.#connecting.abort(new DOMException("The socket was closed", "AbortError"));
    } else {
      const session = this.#session!;
      this.#sends.whenSent(() => void session.close(...close));
    }
  }

  async #connect(url: URL, offers: readonly string[], options: ConnectOptions): Promise<void> {
    try {
      await connectInTurn(url, {
        ...options,
        protocols: offers,
        handlers: {
          open: (session) => this.#opened(session, offers, options.limits?.maxSendBacklog),
          message: (_, message) => this.#received(message),
          close: (_, status) => this.#closed(status),
        },
      });
    } catch (error) {
      // A failure is told in a later task: until then nobody has been able to listen.
      await sharedTimers.sharedTurn();
      await this.#closed({ code: CloseCode.Abnormal, reason: "", wasClean: false, error });
    }
  }

  #opened(
    session: WebSocketSession,
    offers: readonly string[],
    maxBacklog: number = Infinity,
  ): Promise<void> | void {
    this.#session = session;
    this.#sends.open(session, maxBacklog);
    if (this.#state !== CONNECTING) return session.abort(this.#connecting.signal.reason);
    if (offers.length > 0 && session.protocol === "") {
      return session.abort(new HandshakeError("The server chose none of the subprotocols offered"));
    }
    this.#state = OPEN;
    this.#protocol = session.protocol;
    this.#extensions = session.extensions;
    this.dispatchEvent(new Event("open"));
    return sharedTimers.sharedTurn();
  }

  /** Each event is a task of its own: what waits for one must be able to listen for the next. */
  #received(message: Message): Promise<void> | void {
    if (this.#state !== OPEN) return;
    const data = typeof message === "string"
      ? message
      : this.#binaryType === "blob"
      ? new Blob([message as Uint8Array<ArrayBuffer>])
      : message.buffer;
    this.dispatchEvent(new MessageEvent("message", { data, origin: this.#origin }));
    return sharedTimers.sharedTurn();
  }

  async #closed({ code, reason, wasClean, error }: CloseStatus): Promise<void> {
    this.#sends.end();
    this.#session = null;
    this.#state = CLOSED;
    if (!wasClean) {
      this.dispatchEvent(createErrorEvent(error));
      await sharedTimers.sharedTurn();
    }
    this.dispatchEvent(new CloseEvent("close", { wasClean, code, reason }));
  }

  #currentState(): ReadyState {
    // One that is lost is open until that is told: messages that have come before are events of an open one.
    if (this.#state === OPEN && this.#session!.state === "closing") return CLOSING;
    return this.#state;
  }
}

// Types of the platform's own methods, because only the DOM has names for them.
/** Typed by their events. */
export interface WebSocket {
  /** Listens for one kind of event. */
  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /** Listens for one kind of event. */
  addEventListener(
    type: string,
    listener: Parameters<EventTarget["addEventListener"]>[1],
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  /** Listens no longer. */
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: (this: WebSocket, event: WebSocketEventMap[K]) => unknown,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  /** Listens no longer. */
  removeEventListener(
    type: string,
    listener: Parameters<EventTarget["removeEventListener"]>[1],
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
}

const STATES = { CONNECTING, OPEN, CLOSING, CLOSED };
for (const target of [WebSocket, WebSocket.prototype]) {
  for (const [name, value] of Object.entries(STATES)) {
    Object.defineProperty(target, name, { value, enumerable: true });
  }
}
Object.defineProperty(WebSocket.prototype, Symbol.toStringTag, {
  value: "WebSocket",
  configurable: true,
});
makeEnumerable(WebSocket.prototype, [
  "url",
  "readyState",
  "bufferedAmount",
  "extensions",
  "protocol",
  "binaryType",
  "onopen",
  "onmessage",
  "onerror",
  "onclose",
  "send",
  "close",
]);

/** A dictionary, a list or one name: the union of Web IDL that the constructor takes. */
function readProtocols(value: unknown): { offers: string[]; init: WebConnectOptions } {
  if (value === undefined || value === null) return { offers: [], init: {} };
  const offers = toOffers(value);
  if (offers !== null) return { offers, init: {} };
  const { protocols = [], ...init } = toDictionary(value, "WebSocketInit");
  return { offers: toOffers(protocols) ?? [toUsvString(protocols)], init };
}

/** A list or one name; `null` for another object. */
function toOffers(value: unknown): string[] | null {
  return isObject(value) ? iterateStrings(value) : [toUsvString(value)];
}

function createErrorEvent(error: unknown): Event {
  const event = new Event("error");
  if (error === undefined) return event;
  const message = error instanceof Error ? error.message : String(error);
  return Object.defineProperties(event, {
    error: { value: error, enumerable: true },
    message: { value: message, enumerable: true },
  });
}
