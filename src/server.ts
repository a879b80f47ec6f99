/**
 * A WebSocket server: the accept loop, connections and sessions within their limits, and an orderly
 * end.
 *
 * @module
 */

import type { AddressSet } from "./address.ts";
import { Admission, RETRY_AFTER } from "./admission.ts";
import { sharedTimers, Timers } from "./clock.ts";
import { sharedContexts } from "./compression.ts";
import { type CloseStatus, encodeClose } from "./core/close.ts";
import { CloseCode } from "./core/close_code.ts";
import { HandshakeError } from "./core/errors.ts";
import type { Message } from "./core/message.ts";
import { prepareMessage } from "./core/prepared_message.ts";
import { createReporter } from "./errors.ts";
import { Incoming, type IncomingOptions } from "./incoming.ts";
import type { ResolvedSessionOptions } from "./options.ts";
import type { Addr, Conn, Listener } from "./runtime/conn.ts";
import { listen } from "./runtime/mod.ts";
import { type Sendable, toPayload } from "./payload.ts";
import {
  type ResolvedServeOptions,
  resolveServeOptions,
  type ServeOptions,
} from "./serve_options.ts";
import { type SendOptions, sendPrepared, type SessionInit, WebSocketSession } from "./session.ts";
import type { Upgraded } from "./upgrade.ts";

/** What to do with sessions, in place of one function. Each may return a promise. */
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

/** Runs with each session; when it returns, the session closes with 1000, when it throws, 1011. */
export type Handler<Data = unknown> = (
  session: WebSocketSession<Data>,
  server: Server<Data>,
) => unknown;

/** What a server is doing. */
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

/** How to end a server. */
export interface ShutdownOptions {
  /** The close code for the open sessions. @default {1001} */
  readonly code?: number;
  /** The reason beside it. @default {""} */
  readonly reason?: string;
}

/** Connections accepted in a row before others have their turn. */
const ACCEPTS_PER_TURN = 2;

/** How long to wait before accepting again when that failed: from the first to the last, in ms. */
const BACKOFF = { first: 20, last: 1000 };

/**
 * Serves WebSockets. Resolves when the server is listening.
 *
 * Rejects with a `TypeError` or `RangeError` for wrong options, and with the system's error if the
 * address can't be had.
 *
 * @example
 * ```ts
 * import { serve } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
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
  return new Server(listener, options, resolved, handler);
}

function checkHandler(handler: unknown): void {
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

/** Servers do not mask (RFC 6455 section 5.1). */
const NO_MASK = (): number => 0;

/** A running server; made by {@linkcode serve}. */
export class Server<Data = unknown> {
  /** The address that the server listens on, with its real port. */
  readonly addr: Addr;
  /** Resolves when the server has been shut down and all of its connections are gone. */
  readonly finished: Promise<void>;

  readonly #listener: Listener;
  readonly #timers: Timers;
  readonly #options: ServeOptions<Data>;
  readonly #resolved: ResolvedSessionOptions;
  readonly #consumer: Pick<SessionInit<Data>, "run" | "handlers" | "onEnd">;
  readonly #report: (error: unknown) => void;
  readonly #incomingOptions: IncomingOptions<Data>;
  readonly #sessions = new Map<string, WebSocketSession<Data>>();
  /** Connections in their handshake, the oldest first. */
  readonly #pending = new Set<Incoming<Data>>();
  /** Connections that have been decided about but are not gone: responses being written. */
  readonly #responding = new Set<Incoming<Data>>();
  readonly #admission: Admission;
  #isShuttingDown = false;
  #wakeUp: (() => void) | null = null;
  #onGone: (() => void) | null = null;

  /** Use {@linkcode serve}. */
  constructor(
    listener: Listener,
    options: ServeOptions<Data>,
    { session, trustedProxies }: ResolvedServeOptions,
    handler: Handler<Data> | Handlers<Data>,
  ) {
    this.addr = listener.addr;
    this.#listener = listener;
    this.#timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
    this.#options = options;
    this.#resolved = session;
    this.#admission = new Admission(session.limits);
    this.#consumer = this.#createConsumer(handler);
    this.#report = createReporter("WebSocket server", options.onError);
    this.#incomingOptions = this.#createIncomingOptions(trustedProxies);
    this.finished = this.#run();
    const stop = (): void => void this.shutdown();
    options.signal?.addEventListener("abort", stop, { once: true });
    if (options.signal?.aborted) stop(); // while the address was being bound
    this.finished.then(() => options.signal?.removeEventListener("abort", stop));
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
   */
  broadcast(
    message: Sendable,
    to: Iterable<WebSocketSession<Data>> = this.#sessions.values(),
    { compress }: SendOptions = {},
  ): number {
    const prepared = prepareMessage(toPayload(message), compress);
    let count = 0;
    for (const session of to) if (sendPrepared(session, prepared)) count++;
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
   */
  async shutdown({ code = CloseCode.GoingAway, reason }: ShutdownOptions = {}): Promise<void> {
    if (!this.#isShuttingDown) {
      encodeClose(code, reason); // throws what close() would reject with
      this.#isShuttingDown = true;
      this.#listener.close();
      this.#wakeUp?.();
      const refusal = new HandshakeError("The server is shutting down", {
        status: 503,
        headers: [["retry-after", RETRY_AFTER]],
      });
      for (const incoming of this.#pending) incoming.drop(refusal);
      for (const session of this.#sessions.values()) void session.close(code, reason);
    }
    await this.finished;
  }

  /** The same as {@linkcode Server.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #run(): Promise<void> {
    await this.#acceptAll();
    const timer = this.#timers.set(this.#resolved.closeTimeout, () => {
      for (const incoming of [...this.#pending, ...this.#responding]) incoming.close();
    });
    while (this.#sessions.size + this.#pending.size + this.#responding.size > 0) {
      await new Promise<void>((resolve) => this.#onGone = resolve);
    }
    timer.cancel();
  }

  /** Survives whatever goes wrong with single connections, and running out of descriptors. */
  async #acceptAll(): Promise<void> {
    let pause = BACKOFF.first;
    for (let count = 1; !this.#isShuttingDown; count++) {
      try {
        const conn = await this.#listener.accept();
        if (conn === null) return;
        pause = BACKOFF.first;
        this.#receive(conn);
        // Those who keep knocking must not starve those who are in.
        if (count % ACCEPTS_PER_TURN === 0) await this.#timers.sharedTurn();
      } catch (error) {
        this.#report(error);
        await this.#sleep(pause);
        pause = Math.min(pause * 2, BACKOFF.last);
      }
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isShuttingDown) return;
    await new Promise<void>((resolve) => {
      const timer = this.#timers.set(ms, resolve);
      this.#wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wakeUp = null;
  }

  #receive(conn: Conn): void {
    if (this.#isShuttingDown) return conn.close();
    const { maxPendingHandshakes } = this.#resolved.limits;
    if (this.#pending.size >= maxPendingHandshakes) {
      const [oldest] = this.#pending;
      oldest.drop(
        new HandshakeError("Too many handshakes are pending (limits.maxPendingHandshakes)", {
          status: 408,
        }),
        // An answer takes time to be read: those under way are bounded, too.
        this.#responding.size < maxPendingHandshakes,
      );
    }
    const incoming = new Incoming(conn, this.#incomingOptions);
    this.#pending.add(incoming);
    void incoming.run();
  }

  #createIncomingOptions(trustedProxies: AddressSet): IncomingOptions<Data> {
    const { protocols = [], accept, origin = "same-origin", allowedHosts, fetch } = this.#options;
    return {
      isSecure: this.#listener.secure,
      options: this.#resolved,
      policy: {
        protocols,
        accept,
        origin,
        allowedHosts,
        trustedProxies,
        compress: this.#resolved.compress,
      },
      fetch,
      timers: this.#timers,
      admit: (remoteAddr) => this.#admission.admit(remoteAddr),
      release: (remoteAddr) => this.#admission.release(remoteAddr),
      onUpgraded: (upgraded, conn) => this.#open(upgraded, conn),
      onDecided: (incoming) => {
        this.#pending.delete(incoming);
        this.#responding.add(incoming);
      },
      onDone: (incoming) => {
        this.#responding.delete(incoming);
        this.#onGone?.();
      },
      onError: this.#report,
    };
  }

  #open(upgraded: Upgraded<Data>, conn: Conn): void {
    const { request, protocol, extensions, compression, data, remoteAddr } = upgraded;
    const session = new WebSocketSession<Data>({
      conn,
      role: "server",
      maskKey: NO_MASK,
      options: this.#resolved,
      timers: this.#timers,
      request,
      protocol,
      extensions,
      compression,
      data,
      remoteAddr,
      ...this.#consumer,
      onError: this.#report,
    });
    this.#sessions.set(session.id, session);
    if (this.#isShuttingDown) void session.close(CloseCode.GoingAway);
  }

  /** The same for all sessions. */
  #createConsumer(
    handler: Handler<Data> | Handlers<Data>,
  ): Pick<SessionInit<Data>, "run" | "handlers" | "onEnd"> {
    const onEnd = (session: WebSocketSession<Data>): void => {
      this.#sessions.delete(session.id);
      this.#admission.release(session.remoteAddr);
      this.#onGone?.();
    };
    if (typeof handler === "function") return { run: (session) => handler(session, this), onEnd };
    return {
      onEnd,
      handlers: {
        open: handler.open && ((session) => handler.open!(session, this)),
        message: handler.message &&
          ((session, message) => handler.message!(session, message, this)),
        close: handler.close && ((session, status) => handler.close!(session, status, this)),
      },
    };
  }
}
