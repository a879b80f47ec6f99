/**
 * The server's half of the opening handshake (RFC 6455 section 4.2): from a request to what a
 * session is made of, or to a refusal; one path for all versions of HTTP.
 *
 * @module
 */

import { type AddressSet, type ForwardedInfo, readForwarded } from "./address.ts";
import type { Cancellation } from "./cancellation.ts";
import type { Timers } from "./clock.ts";
import { acceptCompression, type Compression } from "./compression.ts";
import type { CheckedOpening } from "./core/handshake.ts";
import type { HeadersInput } from "./core/headers.ts";
import type { Exchange, WriteAcceptance } from "./exchange.ts";
import { checkHost, checkOrigin, type OriginPolicy } from "./origin.ts";
import type { CompressOptions } from "./options.ts";
import { isResponse } from "./refusal.ts";
import { createRequestInfo, type RequestInfo } from "./request_info.ts";
import type { Addr } from "./runtime/conn.ts";

/**
 * What `accept` is told besides the request.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   type Acceptance,
 *   type AcceptContext,
 *   connect,
 *   type RequestInfo,
 *   serve,
 *   type TcpAddr,
 * } from "@twoway/websocket";
 *
 * function accept(_request: RequestInfo, context: AcceptContext): Acceptance<string> {
 *   const address = context.remoteAddr as TcpAddr;
 *   return { data: address.hostname, protocol: context.protocols.at(-1) };
 * }
 * const server = await serve({ port: 0, accept }, (session) => session.send(session.data));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { protocols: ["chat.v2", "chat.v1"] });
 * assertEquals(await session.receive(), "127.0.0.1");
 * assertEquals(session.protocol, "chat.v1");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface AcceptContext {
  /** The client's address: the peer's, or what a trusted proxy says. */
  readonly remoteAddr: Addr | undefined;
  /** The subprotocols offered, in the client's order of preference. */
  readonly protocols: readonly string[];
  /** Aborted when the client leaves or the handshake takes too long. */
  readonly signal: AbortSignal;
}

/**
 * What `accept` may say about a connection that it lets in.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Acceptance, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const accept = (): Acceptance<{ name: string }> => ({
 *   headers: { "set-cookie": "seen=1; HttpOnly" },
 *   data: { name: "Ada" },
 * });
 * const server = await serve({ port: 0, accept }, (session) => session.send(session.data.name));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * assertEquals(await session.receive(), "Ada");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface Acceptance<Data> {
  /** One of the subprotocols offered; in place of the choice by `protocols`. */
  readonly protocol?: string;
  /** Header fields to add to the 101 response, such as `Set-Cookie`. */
  readonly headers?: HeadersInput;
  /** Becomes `session.data`. */
  readonly data?: Data;
}

/**
 * Decides about a request: lets it in, refuses it with a `Response`, or leaves it to the defaults.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Accept, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const accept: Accept<{ name: string }> = ({ target }) => {
 *   const name = new URL(target, "http://localhost").searchParams.get("name");
 *   return name === null ? new Response("Who are you?", { status: 401 }) : { data: { name } };
 * };
 * const server = await serve({ port: 0, accept }, (session) => session.send(session.data.name));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/?name=Ada`);
 * assertEquals(await session.receive(), "Ada");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export type Accept<Data> = (
  request: RequestInfo,
  context: AcceptContext,
) => Acceptance<Data> | Response | void | Promise<Acceptance<Data> | Response | void>;

/** Who may open a WebSocket, and how. */
export interface UpgradePolicy<Data> {
  readonly protocols: readonly string[];
  readonly accept: Accept<Data> | undefined;
  readonly origin: OriginPolicy;
  readonly allowedHosts: readonly string[] | undefined;
  readonly trustedProxies: AddressSet;
  readonly compress: Required<CompressOptions> | false;
}

/** What is known of the connection that the request came over. */
export interface UpgradeContext {
  readonly remoteAddr: Addr | undefined;
  /** Whether the connection itself is encrypted. */
  readonly isSecure: boolean;
  readonly cancellation: Cancellation;
  readonly timers: Timers;
  /** Throws a {@linkcode HandshakeError} if there is no room for the client. */
  readonly admit: (remoteAddr: Addr | undefined) => void;
}

/** A handshake that has succeeded, but for writing its response. */
export interface Upgraded<Data> {
  /** Writes the response. */
  readonly write: WriteAcceptance;
  readonly request: RequestInfo;
  readonly protocol: string;
  readonly extensions: string;
  /** The codecs, if compression was agreed on: to be closed by whoever has them. */
  readonly compression: Compression | null;
  readonly data: Data;
  readonly remoteAddr: Addr | undefined;
}

/**
 * Decides about a request to open a WebSocket. Resolves with what writes the acceptance and what the
 * session is made of, or with the `Response` by which `accept` refuses. Throws a
 * {@linkcode HandshakeError} for every other refusal, and whatever `accept` throws.
 */
export async function upgrade<Data>(
  exchange: Exchange,
  policy: UpgradePolicy<Data>,
  context: UpgradeContext,
): Promise<Upgraded<Data> | Response> {
  const checked = exchange.check();
  const { head } = exchange;
  const forwarded = readForwarded(context.remoteAddr, head.headers, policy.trustedProxies);
  const { remoteAddr } = forwarded;
  const isSecure = context.isSecure ? true : forwarded.isSecure;
  checkTarget(checked, forwarded, isSecure, policy);
  context.admit(remoteAddr);
  const request = createRequestInfo(head, isSecure ?? false);
  const { accept } = policy;
  const accepted = accept === undefined ? undefined : await accept(request, {
    remoteAddr,
    protocols: checked.protocols,
    signal: context.cancellation.signal,
  });
  if (isResponse(accepted)) return accepted;
  const protocol = accepted?.protocol ?? choose(policy.protocols, checked.protocols);
  const { compression = null, extensions = "" } = policy.compress === false
    ? {}
    : acceptCompression(checked.extensions, policy.compress, context.timers) ?? {};
  const headers = accepted?.headers;
  let write: WriteAcceptance;
  try {
    write = await exchange.prepare({ protocol, headers, extensions });
  } catch (error) {
    compression?.close();
    throw error;
  }
  const data = accepted?.data as Data;
  const agreed = { protocol: protocol ?? "", extensions, compression };
  return { ...agreed, write, request, data, remoteAddr };
}

function checkTarget<Data>(
  { host, origin }: CheckedOpening,
  forwarded: ForwardedInfo,
  isSecure: boolean | undefined,
  policy: UpgradePolicy<Data>,
): void {
  const target = { host: forwarded.host ?? host, isSecure };
  checkHost(target.host, policy.allowedHosts);
  checkOrigin(origin, target, policy.origin);
}

/** The first of our subprotocols that the client also offered. */
function choose(ours: readonly string[], offered: readonly string[]): string | undefined {
  return ours.find((protocol) => offered.includes(protocol));
}
