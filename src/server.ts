/**
 * A WebSocket server: connections and sessions within their limits, whatever source they come from,
 * and an orderly end.
 *
 * @module
 */

import { AcceptLoop, type Source } from "./accept_loop.ts";
import { Admission, RETRY_AFTER } from "./admission.ts";
import { sharedTimers, Timers } from "./clock.ts";
import { sharedContexts } from "./compression.ts";
import { type CloseStatus, encodeClose } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import { HandshakeError } from "./core/errors.ts";
import type { Message } from "./core/message.ts";
import { prepareMessage } from "./core/prepared_message.ts";
import { createReporter } from "./errors.ts";
import type { Arrival } from "./exchange.ts";
import { Incoming, type IncomingOptions } from "./incoming.ts";
import { LinkedList } from "./linked_list.ts";
import type { Addr, Conn } from "./runtime/conn.ts";
import { listen } from "./runtime/mod.ts";
import { type Sendable, toPayload } from "./payload.ts";
import {
  type ResolvedServeOptions,
  resolveServeOptions,
  type ServeOptions,
} from "./serve_options.ts";
import { openSession } from "./server_session.ts";
import type { SessionPlan } from "./session_plan.ts";
import {
  placeOf,
  type SendOptions,
  sendPrepared,
  setPlace,
  type WebSocketSession,
} from "./session.ts";
import { SessionTable } from "./session_table.ts";
import type { Upgraded } from "./upgrade.ts";

/**
 * What to do with sessions, in place of one function. Each may return a promise.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Handlers, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const chat: Handlers = {
 *   open: (session, server) => server.broadcast(`${session.id} is here`),
 *   message: (_session, message, server) => server.broadcast(message),
 *   close: (session, _status, server) => server.broadcast(`${session.id} left`),
 * };
 * const server = await serve({ port: 0 }, chat);
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.receive(); // … is here
 * await session.send("hello");
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface Handlers<Data = unknown> {
  /** A session is open; a promise delays its first message. */
  readonly open?: (session: WebSocketSession<Data>, server: Server<Data>) => unknown;
  /** A message arrived; a promise delays the session's next one. */
  readonly message?: (
    session: WebSocketSession<Data>,
    message: Message,
    server: Server<Data>,
  ) => unknown;
  /** A session has ended. */
  readonly close?: (
    session: WebSocketSession<Data>,
    status: CloseStatus,
    server: Server<Data>,
  ) => unknown;
}

/**
 * Runs with each session; when it returns, the session closes with 1000, when it throws, 1011.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Handler, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const greet: Handler = async (session) => {
 *   const name = await session.receive();
 *   await session.send(`hello ${name}`);
 * };
 * const server = await serve({ port: 0 }, greet);
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.send("Ada");
 * assertEquals(await session.receive(), "hello Ada");
 * assertEquals(await session.receive(), null); // it has returned
 * assertEquals((await session.closed).code, 1000);
 * await server.shutdown();
 * ```
 */
export type Handler<Data = unknown> = (
  session: WebSocketSession<Data>,
  server: Server<Data>,
) => unknown;

/**
 * What a server is doing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type ServerStats } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, () => {});
 * const { sessions, pendingHandshakes }: ServerStats = server.stats();
 * assertEquals([sessions, pendingHandshakes], [0, 0]);
 * await server.shutdown();
 * ```
 */
export interface ServerStats {
  /** Open sessions. */
  readonly sessions: number;
  /** Connections whose handshake, or plain request, is not complete. */
  readonly pendingHandshakes: number;
  /** Plain HTTP responses being written. */
  readonly responses: number;
  /** Compression contexts that all sessions of this process hold, up to two for each. */
  readonly contexts: number;
  /** The bytes that they take, about; bounded by `compress.contextBudget`. */
  readonly contextBytes: number;
}

/**
 * How to end a server.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type ShutdownOptions, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, {});
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 *
 * const restart: ShutdownOptions = { code: 1012, reason: "back in a minute" };
 * const stopped = server.shutdown(restart);
 * assertEquals(await session.receive(), null);
 * assertEquals((await session.closed).code, 1012);
 * await stopped;
 * ```
 */
export interface ShutdownOptions {
  /** The close code for the open sessions. @default {1001} */
  readonly code?: number;
  /** The reason beside it. @default {""} */
  readonly reason?: string;
}

/**
 * Serves WebSockets. Resolves when the server is listening.
 *
 * Rejects with a `TypeError` or `RangeError` for wrong options, and with the system's error if the
 * address can't be had.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.send("hello");
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export async function serve<Data = unknown>(
  options: ServeOptions<Data>,
  handler: Handler<Data> | Handlers<Data>,
): Promise<Server<Data>> {
  const resolved = resolveServeOptions(options);
  checkHandler(handler);
  options.signal?.throwIfAborted();
  const { hostname = "127.0.0.1", port = 8000, unix, tls } = options;
  const address = unix === undefined ? { hostname, port } : { unix };
  const listener = options.listener ?? await listen({ ...address, tls });
  return new Server(
    (timers, onError) => new AcceptLoop(listener, timers, onError),
    options,
    resolved,
    handler,
  );
}

/** Throws a `TypeError` for what can't handle sessions. */
export function checkHandler(handler: unknown): void {
  if (typeof handler === "function") return;
  if (typeof handler !== "object" || handler === null) {
    throw new TypeError(
      "Cannot serve: the handler is neither a function nor an object of handlers",
    );
  }
  for (const [name, value] of Object.entries(handler)) {
    const isKnown = ["open", "message", "close"].includes(name);
    if (isKnown && (value === undefined || typeof value === "function")) continue;
    throw new TypeError(
      isKnown
        ? `Handler ${name} is of type ${typeof value}, not a function`
        : `Unknown handler "${name}": known are open, message and close`,
    );
  }
}

/** Makes the source of a server's connections. */
type CreateSource = (timers: Timers, onError: (error: unknown) => void) => Source;

/**
 * A running server; made by {@linkcode serve}, or by `attach()` of `@twoway/websocket/node`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type Server } from "@twoway/websocket";
 *
 * function announce(server: Server, text: string): string {
 *   return `${server.broadcast(text)} of ${server.sessions.size} were told`;
 * }
 * const server = await serve({ port: 0 }, () => {});
 * assertEquals(announce(server, "hello"), "0 of 0 were told");
 * await server.shutdown();
 * ```
 */
export class Server<Data = unknown> {
  /** Resolves when the server has been shut down and all of its connections are gone. */
  readonly finished: Promise<void>;

  readonly #source: Source;
  readonly #timers: Timers;
  readonly #resolved: ResolvedServeOptions<Data>;
  readonly #sessionPlan: SessionPlan<WebSocketSession<Data>>;
  readonly #report: (error: unknown) => void;
  readonly #incomingOptions: IncomingOptions<Data>;
  readonly #sessions = new SessionTable<WebSocketSession<Data>>();
  /** Connections in their handshake, the oldest first. */
  readonly #pending = new LinkedList<Incoming<Data>>();
  /** Connections that have been decided about but are not gone: responses being written. */
  readonly #responding = new LinkedList<Incoming<Data>>();
  /** How many of those are refusals. */
  #refusals = 0;
  readonly #admission: Admission;
  #isShuttingDown = false;
  #onGone: (() => void) | null = null;

  /** Use {@linkcode serve}. */
  constructor(
    createSource: CreateSource,
    options: Pick<ServeOptions<Data>, "clock" | "fetch" | "onError" | "signal">,
    resolved: ResolvedServeOptions<Data>,
    handler: Handler<Data> | Handlers<Data>,
  ) {
    this.#timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
    this.#report = createReporter("WebSocket server", options.onError);
    this.#source = createSource(this.#timers, this.#report);
    this.#resolved = resolved;
    this.#admission = new Admission(resolved.session.limits);
    this.#sessionPlan = this.#createSessionPlan(handler);
    this.#incomingOptions = this.#createIncomingOptions(options.fetch);
    this.finished = this.#run();
    const stop = (): void => void this.shutdown();
    options.signal?.addEventListener("abort", stop, { once: true });
    if (options.signal?.aborted) stop(); // while the address was being bound
    this.finished.then(() => options.signal?.removeEventListener("abort", stop));
  }

  /**
   * The address that the server listens on, with its real port. Throws a `TypeError` while the HTTP
   * server that this one is attached to does not listen.
   */
  get addr(): Addr {
    return this.#source.addr;
  }

  /** The open sessions by their `id`. */
  get sessions(): ReadonlyMap<string, WebSocketSession<Data>> {
    return this.#sessions;
  }

  /**
   * Sends one message to all sessions, or to those given; it is encoded once, and compressed once
   * for each set of parameters agreed on. Never waits and never rejects: returns how many sessions
   * took the message. One whose backlog has reached `limits.maxSendBacklog` is dropped. Throws a
   * `TypeError` for what is not a message.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, {
   *   message(session, message, server) {
   *     const others = [...server.sessions.values()].filter((other) => other !== session);
   *     assertEquals(server.broadcast(message, others), 1);
   *   },
   * });
   * const { port } = server.addr as TcpAddr;
   * const url = `ws://127.0.0.1:${port}/`;
   * const [ada, bob] = [await connect(url), await connect(url)];
   * await ada.send("hello");
   * assertEquals(await bob.receive(), "hello");
   * await Promise.all([ada.close(), bob.close()]);
   * await server.shutdown();
   * ```
   */
  broadcast(
    message: Sendable,
    to?: Iterable<WebSocketSession<Data>>,
    { compress }: SendOptions = {},
  ): number {
    const prepared = prepareMessage(toPayload(message), compress);
    let count = 0;
    const send = (session: WebSocketSession<Data>): void => {
      if (sendPrepared(session, prepared)) count++;
    };
    if (to === undefined) this.#sessions.forEachSession(send);
    else for (const session of to) send(session);
    return count;
  }

  /** How much is going on. */
  stats(): ServerStats {
    return {
      sessions: this.#sessions.size,
      pendingHandshakes: this.#pending.size,
      responses: this.#responding.size,
      contexts: sharedContexts.contexts,
      contextBytes: sharedContexts.bytes,
    };
  }

  /**
   * Stops listening, refuses handshakes under way, closes every session (1001 unless told
   * otherwise) and waits until all are gone; `closeTimeout` bounds that. A further call just waits.
   * Rejects with a `TypeError` or `RangeError` if code or reason may not be sent.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect, serve, type TcpAddr } from "@twoway/websocket";
   *
   * const server = await serve({ port: 0 }, {});
   * const { port } = server.addr as TcpAddr;
   * const session = await connect(`ws://127.0.0.1:${port}/`);
   * session.receive(); // whoever does not read answers late
   * await server.shutdown({ reason: "restart" });
   * assertEquals(server.sessions.size, 0);
   * assertEquals((await session.closed).reason, "restart");
   * ```
   */
  async shutdown({ code = CloseCode.GoingAway, reason }: ShutdownOptions = {}): Promise<void> {
    if (!this.#isShuttingDown) {
      encodeClose(code, reason); // throws what close() would reject with
      this.#isShuttingDown = true;
      this.#source.close();
      const refusal = new HandshakeError("The server is shutting down", {
        status: 503,
        headers: [["retry-after", RETRY_AFTER]],
      });
      for (const incoming of [...this.#pending]) incoming.drop(refusal);
      for (const session of this.#sessions.values()) void session.close(code, reason);
    }
    await this.finished;
  }

  /** The same as {@linkcode Server.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #run(): Promise<void> {
    await this.#source.run((arrival) => this.#receive(arrival));
    const timer = this.#timers.set(this.#resolved.session.closeTimeout, () => {
      for (const incoming of [...this.#pending, ...this.#responding]) incoming.close();
    });
    while (this.#sessions.size + this.#pending.size + this.#responding.size > 0) {
      await new Promise<void>((resolve) => this.#onGone = resolve);
    }
    timer.cancel();
  }

  #receive(arrival: Arrival): void {
    if (this.#isShuttingDown) return arrival.conn.close();
    const { maxPendingHandshakes } = this.#resolved.session.limits;
    if (this.#pending.size >= maxPendingHandshakes) {
      this.#pending.first?.drop(
        new HandshakeError("Too many handshakes are pending (limits.maxPendingHandshakes)", {
          status: 408,
        }),
      );
    }
    const incoming = new Incoming(arrival, this.#incomingOptions);
    this.#pending.push(incoming);
    incoming.run();
  }

  #createIncomingOptions(fetch: ServeOptions["fetch"]): IncomingOptions<Data> {
    return {
      options: this.#resolved.session,
      policy: this.#resolved.policy,
      fetch,
      timers: this.#timers,
      admit: (remoteAddr) => this.#admission.admit(remoteAddr),
      release: (remoteAddr) => this.#admission.release(remoteAddr),
      mayRefuse: () => this.#refusals < this.#resolved.session.limits.maxPendingHandshakes,
      onUpgraded: (upgraded, conn) => this.#open(upgraded, conn),
      onDecided: (incoming) => {
        this.#responding.push(incoming);
        if (incoming.refusal !== null) this.#refusals++;
      },
      onDone: (incoming) => {
        this.#responding.remove(incoming);
        if (incoming.refusal !== null) this.#refusals--;
        this.#onGone?.();
      },
      onError: this.#report,
    };
  }

  #open(upgraded: Upgraded<Data>, conn: Conn): void {
    const session = openSession(upgraded, conn, this.#sessionPlan);
    setPlace(session, this.#sessions.add(session));
    if (this.#isShuttingDown) void session.close(CloseCode.GoingAway);
  }

  /** The same for all sessions. */
  #createSessionPlan(
    handler: Handler<Data> | Handlers<Data>,
  ): SessionPlan<WebSocketSession<Data>> {
    const plan = {
      role: "server" as const,
      options: this.#resolved.session,
      timers: this.#timers,
      onError: this.#report,
      onEnd: (session: WebSocketSession<Data>): void => {
        this.#sessions.remove(placeOf(session)!);
        setPlace(session, null);
        this.#admission.release(session.remoteAddr);
        this.#onGone?.();
      },
    };
    if (typeof handler === "function") return { ...plan, run: (session) => handler(session, this) };
    return {
      ...plan,
      handlers: {
        open: handler.open && ((session) => handler.open!(session, this)),
        message: handler.message &&
          ((session, message) => handler.message!(session, message, this)),
        close: handler.close && ((session, status) => handler.close!(session, status, this)),
      },
    };
  }
}
