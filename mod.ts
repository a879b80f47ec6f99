/**
 * WebSockets for Deno, Bun and Node: server and client, RFC 6455 and RFC 7692, in plain TypeScript on
 * web standards; the same behaviour on all three.
 *
 * @example
 * ```ts
 * import { serve } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
 * console.log("listening on", server.addr);
 * await server.shutdown();
 * ```
 *
 * @module
 */

export {
  type Handler,
  type Handlers,
  serve,
  type Server,
  type ServerStats,
  type ShutdownOptions,
} from "./src/server.ts";
export type { AcceptOptions, ServeOptions } from "./src/serve_options.ts";
export { connect, type ConnectOptions } from "./src/client.ts";
export {
  type AttemptOptions,
  keepConnected,
  type KeepConnectedOptions,
  type Retry,
  type RetryContext,
} from "./src/reconnect.ts";
export type { BackoffOptions } from "./src/retry.ts";
export type { ProxyOptions } from "./src/client/proxy.ts";
export type { SendOptions, SessionHandlers, WebSocketSession } from "./src/session.ts";
export type { Accept, Acceptance, AcceptContext } from "./src/upgrade.ts";
export type { Fetch } from "./src/http_responder.ts";
export type { Sendable } from "./src/payload.ts";
export type { RequestInfo } from "./src/request_info.ts";
export type { OriginPolicy } from "./src/origin.ts";
export type { CompressOptions, KeepaliveOptions, Limits, SessionOptions } from "./src/options.ts";
export { ClosedError, TimeoutError } from "./src/errors.ts";
export { HandshakeError, type HandshakeErrorInit, ProtocolError } from "./src/core/errors.ts";
export { CloseCode } from "./src/core/close_code.ts";
export type { CloseStatus } from "./src/core/close.ts";
export type { State } from "./src/core/protocol.ts";
export type { Message } from "./src/core/message.ts";
export type { HeaderList, HeadersInput } from "./src/core/headers.ts";
export type { Clock } from "./src/clock.ts";
export type {
  Addr,
  Conn,
  ConnFlow,
  ConnSink,
  Listener,
  TcpAddr,
  TlsClientOptions,
  TlsServerOptions,
  UnixAddr,
} from "./src/runtime/conn.ts";
export type { Http2Session } from "./src/runtime/http2_client.ts";
