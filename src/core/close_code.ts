/**
 * Close codes (RFC 6455 section 7.4 and the IANA registry): which may appear on the wire, and
 * which an application may send.
 *
 * @module
 */

/**
 * The registered close codes by name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CloseCode, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, (session) => session.close(CloseCode.TryAgainLater));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * await session.receive();
 * assertEquals((await session.closed).code, CloseCode.TryAgainLater);
 * await server.shutdown();
 * ```
 */
export const CloseCode = {
  /** The purpose of the connection is fulfilled. */
  Normal: 1000,
  /** The server is shutting down, or the page was left. */
  GoingAway: 1001,
  /** A rule of RFC 6455 or of an extension was broken. */
  ProtocolError: 1002,
  /** A type of data that the endpoint cannot accept. */
  UnsupportedData: 1003,
  /** Never on the wire: the peer's Close had no code. */
  NoStatus: 1005,
  /** Never on the wire: the connection ended without a Close from the peer. */
  Abnormal: 1006,
  /** Payload that is not what its type says: text that is not UTF-8, broken deflate data. */
  InvalidPayload: 1007,
  /** A policy of the endpoint was violated. */
  PolicyViolation: 1008,
  /** A message larger than the endpoint takes. */
  MessageTooBig: 1009,
  /** The client needs an extension that the server did not negotiate. */
  MandatoryExtension: 1010,
  /** The server failed. */
  InternalError: 1011,
  /** The server restarts: reconnect. */
  ServiceRestart: 1012,
  /** The server is overloaded: try again later. */
  TryAgainLater: 1013,
  /** A gateway got no valid response upstream. */
  BadGateway: 1014,
  /** Never on the wire: the TLS handshake failed. */
  TlsHandshake: 1015,
} as const;
/**
 * One of the registered close codes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { CloseCode } from "@twoway/websocket";
 *
 * // The name of a registered code.
 * function nameOf(code: CloseCode): string | undefined {
 *   return Object.entries(CloseCode).find(([, known]) => known === code)?.[0];
 * }
 * assertEquals(nameOf(1009), "MessageTooBig");
 * ```
 */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/**
 * Whether `code` may stand in a Close frame: 1000–1003, 1007–1014, 3000–4999 (RFC 6455
 * section 7.4.2; 1012–1014 are registered with IANA).
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isValidCloseCode } from "@twoway/websocket/core";
 *
 * assert(isValidCloseCode(1000));
 * assert(isValidCloseCode(4999)); // from 4000 on for private use
 * assert(!isValidCloseCode(1006)); // never on the wire
 * ```
 */
export function isValidCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999);
}
