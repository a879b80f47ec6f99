/**
 * What the web's classes take beyond the standard, and where their defaults differ.
 *
 * @module
 */

import { checkConnectOptions, type ConnectOptions } from "../client.ts";
import { baseOrigin } from "./url.ts";
import { isObject } from "./webidl.ts";

/** Options of {@linkcode connect} that the web's classes take, too. */
export type WebConnectOptions = Omit<
  ConnectOptions,
  "data" | "handlers" | "onError" | "protocols"
>;

/** Programs that were written for browsers know no bounds; these are such as they seldom reach. */
const LIMITS = { maxMessageSize: 67_108_864, maxSendBacklog: 268_435_456 };

/**
 * The options to connect with; `controller` and the options' own signal both give up connecting.
 * Throws a `TypeError` or `RangeError` for wrong ones.
 */
export function toConnectOptions(
  { signal, ...init }: WebConnectOptions,
  protocols: readonly string[],
  controller: AbortController,
): ConnectOptions {
  for (const name of ["data", "handlers", "onError"]) {
    if (name in init) throw new TypeError(`Unknown option "${name}"`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("Option signal is not an AbortSignal");
  }
  const options: ConnectOptions = {
    origin: baseOrigin(),
    compress: true,
    ...init,
    protocols,
    limits: isObject(init.limits ?? {}) ? { ...LIMITS, ...init.limits } : init.limits,
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
  };
  checkConnectOptions(options);
  return options;
}
