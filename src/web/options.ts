/**
 * What the web's classes take beyond the standard, and where their defaults differ.
 *
 * @module
 */

import { checkConnectOptions, type ConnectOptions } from "../client.ts";
import type { Limits } from "../options.ts";
import { baseOrigin } from "./url.ts";
import { isObject } from "./webidl.ts";

/**
 * Options of {@linkcode connect} that the web's classes take, too.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { type WebConnectOptions, WebSocket } from "@twoway/websocket/web";
 *
 * const server = await serve({ port: 0, compress: true }, () => {});
 * const { port } = server.addr as TcpAddr;
 *
 * const plain: WebConnectOptions = { compress: false, limits: { maxMessageSize: 65_536 } };
 * const socket = new WebSocket(`ws://127.0.0.1:${port}/`, plain);
 * await new Promise((resolve) => socket.onclose = resolve);
 * assertEquals(socket.extensions, "");
 * await server.shutdown();
 * ```
 */
export type WebConnectOptions = Omit<
  ConnectOptions,
  "clock" | "conn" | "data" | "handlers" | "onError" | "protocols"
>;

/** Those of {@linkcode connect} that have no place here. */
const FOREIGN = ["clock", "conn", "data", "handlers", "onError"];

/** Programs that were written for browsers know no bounds; these are such as they seldom reach. */
const LIMITS = { maxMessageSize: 67_108_864, maxSendBacklog: 268_435_456 };

/** "permessage-deflate; client_max_window_bits" is what browsers offer: the server may keep context. */
const COMPRESS = { contextTakeover: true };

/**
 * The options to connect with; `controller` and the options' own signal both give up connecting.
 * Throws a `TypeError` or `RangeError` for wrong ones.
 */
export function toConnectOptions(
  init: WebConnectOptions,
  controller: AbortController,
): ConnectOptions {
  const foreign = FOREIGN.find((name) => name in init);
  if (foreign !== undefined) throw new TypeError(`Unknown option "${foreign}"`);
  const { signal, limits = {}, origin = baseOrigin(), compress = COMPRESS } = init;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("Option signal is not an AbortSignal");
  }
  const options: ConnectOptions = {
    ...init,
    origin,
    compress,
    limits: isObject(limits) ? withDefaults(limits, LIMITS) : limits,
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
  };
  checkConnectOptions(options);
  return options;
}

/** `undefined` means the default, as in a dictionary. */
function withDefaults(limits: Limits, defaults: Limits): Limits {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}
