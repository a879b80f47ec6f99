/**
 * The options of a server, and their checks.
 *
 * @module
 */

import { AddressSet } from "./address.ts";
import { checkClock, type Clock } from "./clock.ts";
import { checkProtocols } from "./core/handshake.ts";
import type { Fetch } from "./http_responder.ts";
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  type SessionOptions,
} from "./options.ts";
import { checkOriginPolicy, type OriginPolicy } from "./origin.ts";
import type { Listener, TlsServerOptions } from "./runtime/conn.ts";
import type { Accept, UpgradePolicy } from "./upgrade.ts";

/**
 * Who may open a WebSocket, and how: options of everything that accepts handshakes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type AcceptOptions, connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * // For serve(), and for attach() of @twoway/websocket/node.
 * const options: AcceptOptions<{ since: number }> = {
 *   protocols: ["chat.v1"],
 *   accept: () => ({ data: { since: Date.now() } }),
 * };
 * const server = await serve({ ...options, port: 0 }, () => {});
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { protocols: ["chat.v1"] });
 * assertEquals(session.protocol, "chat.v1");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface AcceptOptions<Data = unknown> extends SessionOptions {
  /** Subprotocols in our order of preference: the first that the client also offers is chosen. */
  readonly protocols?: readonly string[];
  /** Decides about each request: adds data and headers, or refuses with a `Response`. */
  readonly accept?: Accept<Data>;
  /** Origins accepted besides the server's own; `"any"` does not check. @default {"same-origin"} */
  readonly origin?: OriginPolicy;
  /** Hosts that requests may name, with or without a port; stops DNS rebinding. @default {any} */
  readonly allowedHosts?: readonly string[];
  /** IP addresses, CIDR blocks or `"unix"`, whose `X-Forwarded-…` fields are believed. @default {[]} */
  readonly trustedProxies?: readonly string[];
  /** Where time comes from; for tests. @default {the machine's} */
  readonly clock?: Clock;
  /** Told about every error of your functions and of accepting. @default {console.error} */
  readonly onError?: (error: unknown) => void;
}

/**
 * Options of `serve()`. Unknown names throw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type ServeOptions, type TcpAddr } from "@twoway/websocket";
 *
 * const options: ServeOptions = {
 *   port: 0,
 *   protocols: ["chat.v2", "chat.v1"],
 *   origin: ["https://app.example"],
 *   limits: { maxMessageSize: 65_536, maxConnections: 1000 },
 * };
 * const server = await serve(options, (session) => session.send(session.protocol));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/`, { protocols: ["chat.v1"] });
 * assertEquals(await session.receive(), "chat.v1");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface ServeOptions<Data = unknown> extends AcceptOptions<Data> {
  /** The address to listen on. @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** The port; 0 lets the system choose one. @default {8000} */
  readonly port?: number;
  /** The path of a Unix socket, in place of hostname and port. */
  readonly unix?: string;
  /** Serves `wss://` with this certificate and key. */
  readonly tls?: TlsServerOptions;
  /** A source of connections in place of all of the above. */
  readonly listener?: Listener;
  /** Shuts the server down when it is aborted. */
  readonly signal?: AbortSignal;
  /** Answers plain HTTP requests on the same port; without it they get 426. */
  readonly fetch?: Fetch;
}

const SERVE_OPTIONS = ["hostname", "port", "unix", "tls", "listener", "signal", "fetch"];

const ACCEPT_OPTIONS = [
  "protocols",
  "accept",
  "origin",
  "allowedHosts",
  "trustedProxies",
  "clock",
  "onError",
];

/** Options with their defaults, checked. */
export interface ResolvedServeOptions<Data> {
  readonly session: ResolvedSessionOptions;
  readonly policy: UpgradePolicy<Data>;
}

/**
 * Fills in the defaults. Throws a `TypeError` or `RangeError` for what can't be an option.
 */
export function resolveServeOptions<Data>(
  options: ServeOptions<Data>,
): ResolvedServeOptions<Data> {
  const resolved = resolveAcceptOptions(options, SERVE_OPTIONS);
  checkPort(options.port ?? 0);
  checkFunctions(options, ["fetch"]);
  return resolved;
}

/** The same for options of which `others` are checked elsewhere. */
export function resolveAcceptOptions<Data>(
  options: AcceptOptions<Data>,
  others: readonly string[],
): ResolvedServeOptions<Data> {
  const session = resolveSessionOptions(options, [...ACCEPT_OPTIONS, ...others]);
  const { protocols = [], accept, origin = "same-origin", allowedHosts, clock } = options;
  checkProtocols(protocols);
  checkOriginPolicy(origin);
  checkClock(clock);
  checkFunctions(options, ["accept", "onError"]);
  const trustedProxies = new AddressSet(options.trustedProxies ?? []);
  const { compress } = session;
  return {
    session,
    policy: { protocols, accept, origin, allowedHosts, trustedProxies, compress },
  };
}

/** Throws a `TypeError` for an option of these names that is there and no function. */
export function checkFunctions<T extends object>(
  options: T,
  names: readonly (keyof T & string)[],
): void {
  for (const name of names) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "function") {
      throw new TypeError(`Option ${name} is of type ${typeof value}, not a function`);
    }
  }
}

function checkPort(port: unknown): void {
  if (typeof port !== "number") {
    throw new TypeError(`Option port is of type ${typeof port}, not a number`);
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`Option port is ${port}, not a whole number from 0 to 65535`);
  }
}
