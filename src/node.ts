/**
 * WebSockets on the port of an HTTP server that is already there: `node:http`, `node:https` and what
 * is built on them, on Node and in the `node:http` of Deno and Bun. Also the sockets of `node:net` as
 * byte streams.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { connect, type TcpAddr } from "@twoway/websocket";
 * import { attach } from "@twoway/websocket/node";
 *
 * const http = createServer((_, response) => response.end("a page\n"));
 * const sockets = attach(http, { path: "/chat" }, async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
 * await once(http.listen(0, "127.0.0.1"), "listening");
 *
 * const { port } = sockets.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/chat`);
 * await session.send("hello");
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await sockets.shutdown(); // the HTTP server goes on
 * http.close();
 * ```
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Source } from "./accept_loop.ts";
import { sharedTimers, Timers } from "./clock.ts";
import { HandshakeError } from "./core/errors.ts";
import { createReporter } from "./errors.ts";
import type { Arrival } from "./exchange.ts";
import { Incoming } from "./incoming.ts";
import { type AnswerOptions, arrive, type UpgradeEvent } from "./node/exchange.ts";
import { arriveByHttp2, type StreamEvent } from "./node/http2_exchange.ts";
import { type HttpServerLike, type Mount, Mounts, type PathOption } from "./node/mounts.ts";
import { whenFree } from "./node/pipelining.ts";
import type { Refuse } from "./node/refusal.ts";
import type { Addr } from "./runtime/conn.ts";
import { type AcceptOptions, checkFunctions, resolveAcceptOptions } from "./serve_options.ts";
import { checkHandler, type Handler, type Handlers, Server } from "./server.ts";
import { openSession } from "./server_session.ts";
import type { WebSocketSession } from "./session.ts";

export { dial, listen } from "./runtime/node.ts";
export type {
  Addr,
  Conn,
  ConnFlow,
  ConnSink,
  DialOptions,
  Listener,
  ListenOptions,
  TcpAddr,
  TlsClientOptions,
  TlsServerOptions,
  UnixAddr,
} from "./runtime/conn.ts";
export type { HttpServerLike, PathOption, UpgradeListener } from "./node/mounts.ts";
export type { Refuse } from "./node/refusal.ts";
export type { AcceptOptions } from "./serve_options.ts";
export type { Handler, Handlers, Server, ServerStats, ShutdownOptions } from "./server.ts";
export type { SendOptions, WebSocketSession } from "./session.ts";
export type { Accept, Acceptance, AcceptContext } from "./upgrade.ts";
export type { Sendable } from "./payload.ts";
export type { RequestInfo } from "./request_info.ts";
export type { OriginPolicy } from "./origin.ts";
export type { CompressOptions, KeepaliveOptions, Limits, SessionOptions } from "./options.ts";
export type { HandshakeErrorInit } from "./core/errors.ts";
export { HandshakeError };
export type { CloseStatus } from "./core/close.ts";
export type { State } from "./core/protocol.ts";
export type { Message } from "./core/message.ts";
export type { HeaderList, HeadersInput } from "./core/headers.ts";
export type { Clock } from "./clock.ts";

/**
 * Options of {@linkcode upgrade}. Unknown names throw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import type { AddressInfo } from "node:net";
 * import { connect } from "@twoway/websocket";
 * import { upgrade, type UpgradeOptions } from "@twoway/websocket/node";
 *
 * const options: UpgradeOptions = { protocols: ["chat.v1"], limits: { maxMessageSize: 65_536 } };
 * const http = createServer().on("upgrade", async (request, socket, head) => {
 *   const session = await upgrade(request, socket, head, options);
 *   await session.send("hello");
 * });
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = http.address() as AddressInfo;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { protocols: ["chat.v1"] });
 * assertEquals([session.protocol, await session.receive()], ["chat.v1", "hello"]);
 * await session.close();
 * http.close();
 * ```
 */
export interface UpgradeOptions<Data = unknown> extends AcceptOptions<Data> {
  /**
   * Renders refusals in place of ours, such as `(request, response) => app(request, response)` for
   * Express; has `handshakeTimeout` for it. A `Response` of `accept` is written as it is. Over
   * HTTP/2 refusals are always ours.
   */
  readonly refuse?: Refuse;
}

/**
 * Options of {@linkcode attach}. Unknown names throw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { connect, type TcpAddr } from "@twoway/websocket";
 * import { attach, type AttachOptions } from "@twoway/websocket/node";
 *
 * const options: AttachOptions = {
 *   path: (target) => target.startsWith("/rooms/"),
 *   limits: { maxConnections: 1000 },
 * };
 * const http = createServer();
 * const sockets = attach(http, options, (session) => session.send(session.request.target));
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = sockets.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/rooms/7`);
 * assertEquals(await session.receive(), "/rooms/7");
 * await session.close();
 * await sockets.shutdown();
 * http.close();
 * ```
 */
export interface AttachOptions<Data = unknown> extends UpgradeOptions<Data> {
  /**
   * The path to take: exactly this one, whatever the query; or a function that is asked about path
   * and query. @default {all that nobody else has attached to}
   */
  readonly path?: PathOption;
  /** Shuts this down, not the HTTP server, when it is aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Serves WebSockets on an HTTP server: takes over its `upgrade` event. May be called for several
 * paths. A request for none of them gets 404, unless somebody else listens to `upgrade`, too. Of a
 * server of `node:http2` it takes the requests to open a WebSocket over HTTP/2 (RFC 8441) as well, and
 * sets `enableConnectProtocol`: attach before it listens, since each connection is told once.
 *
 * The result is what `serve()` gives; its `shutdown()` detaches, closes the sessions and leaves the
 * HTTP server alone.
 *
 * Throws a `TypeError` or `RangeError` for wrong options, and a `TypeError` for a path that is taken.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { connect, type TcpAddr } from "@twoway/websocket";
 * import { attach } from "@twoway/websocket/node";
 *
 * const http = createServer((_, response) => response.end("a page\n"));
 * const sockets = attach(http, { path: "/chat" }, {
 *   message: (session, message) => session.send(message),
 * });
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = sockets.addr as TcpAddr;
 * const page = await fetch(`http://127.0.0.1:${port}/`);
 * assertEquals(await page.text(), "a page\n");
 * const session = await connect(`ws://127.0.0.1:${port}/chat`);
 * await session.send("hello");
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await sockets.shutdown(); // the HTTP server goes on
 * http.close();
 * ```
 */
export function attach<Data = unknown>(
  server: HttpServerLike,
  options: AttachOptions<Data>,
  handler: Handler<Data> | Handlers<Data>,
): Server<Data> {
  const resolved = resolveAcceptOptions(options, ["path", "signal", "refuse"]);
  checkFunctions(options, ["refuse"]);
  checkPath(options.path);
  checkHandler(handler);
  options.signal?.throwIfAborted();
  const { path, refuse } = options;
  const { limits } = resolved.session;
  const createSource = (_: Timers, onError: (error: unknown) => void): Source =>
    new AttachedSource(server, path, { limits, refuse, onError });
  return new Server(createSource, options, resolved, handler);
}

function checkPath(path: unknown): void {
  if (path === undefined || typeof path === "function") return;
  if (typeof path === "string" && /^\/[^?#]*$/.test(path)) return;
  throw new TypeError(
    typeof path === "string"
      ? `Option path is ${JSON.stringify(path)}, which does not begin with "/" or has a query`
      : `Option path is of type ${typeof path}, neither a string nor a function`,
  );
}

/** The requests of an HTTP server for one path. */
class AttachedSource implements Source, Mount {
  readonly path: PathOption | undefined;
  readonly #server: HttpServerLike;
  readonly #options: AnswerOptions;
  #receive: ((arrival: Arrival) => void) | null = null;
  #end: (() => void) | null = null;

  constructor(server: HttpServerLike, path: PathOption | undefined, options: AnswerOptions) {
    this.#server = server;
    this.path = path;
    this.#options = options;
    Mounts.of(server).add(this);
  }

  get addr(): Addr {
    const address = this.#server.address();
    if (address === null) throw new TypeError("The HTTP server does not listen: it has no address");
    if (typeof address === "string") return { transport: "unix", path: address };
    return { transport: "tcp", hostname: address.address, port: address.port };
  }

  async run(receive: (arrival: Arrival) => void): Promise<void> {
    this.#receive = receive;
    await new Promise<void>((resolve) => this.#end = resolve);
  }

  receive(event: UpgradeEvent | StreamEvent, reason?: unknown): void {
    if ("stream" in event) {
      this.#receive!(arriveByHttp2(event, this.#options.limits, reason));
      return;
    }
    const { request, socket } = event;
    const arrival = arrive(event, this.#options, reason);
    whenFree(request, socket, () => this.#receive!(arrival), () => arrival.conn.close());
  }

  close(): void {
    Mounts.of(this.#server).remove(this);
    this.#end?.();
  }
}

/**
 * Opens a WebSocket on one request: for those who route the `upgrade` events themselves. To be called
 * in the event's turn; the socket is not to be used any more. Limits on the number of connections
 * do not apply: `attach()` counts, this does not.
 *
 * Rejects with a `HandshakeError` once a request has been refused, or its client has left; with a
 * `TypeError` or `RangeError` for wrong options: the socket is then as it was.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import type { AddressInfo } from "node:net";
 * import { connect } from "@twoway/websocket";
 * import { upgrade } from "@twoway/websocket/node";
 *
 * const http = createServer((_, response) => response.end("a page\n"));
 * http.on("upgrade", async (request, socket, head) => {
 *   try {
 *     const session = await upgrade(request, socket, head);
 *     for await (const message of session) await session.send(message);
 *   } catch (error) {
 *     console.error(error);
 *   }
 * });
 * await once(http.listen(0, "127.0.0.1"), "listening");
 * const { port } = http.address() as AddressInfo;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.send("hello");
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * http.close();
 * ```
 */
export function upgrade<Data = unknown>(
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
  options: UpgradeOptions<Data> = {},
): Promise<WebSocketSession<Data>> {
  return new Promise((resolve, reject) => {
    const { session, policy } = resolveAcceptOptions(options, ["refuse"]);
    checkFunctions(options, ["refuse"]);
    const timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
    const onError = createReporter("WebSocket upgrade", options.onError);
    const { refuse } = options;
    const arrival = arrive({ request, socket, head }, { limits: session.limits, refuse, onError });
    const incoming = new Incoming<Data>(arrival, {
      options: session,
      policy,
      fetch: undefined,
      timers,
      admit: () => {},
      release: () => {},
      mayRefuse: () => true,
      onUpgraded(upgraded, conn) {
        const plan = { role: "server", options: session, timers, onError } as const;
        try {
          resolve(openSession<Data>(upgraded, conn, plan));
        } catch (error) {
          reject(error);
          throw error;
        }
      },
      onDecided: ({ refusal }) => {
        if (refusal !== null) reject(refusal);
      },
      onDone: () => {},
      onError,
    });
    whenFree(request, socket, () => incoming.run(), () => incoming.drop(pipelined(), false));
  });
}

function pipelined(): HandshakeError {
  return new HandshakeError("The request came before the response to an earlier one");
}
