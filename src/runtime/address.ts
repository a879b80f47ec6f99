/**
 * Addresses in words, and the errors that name them.
 *
 * @module
 */

import type { DialOptions, ListenOptions } from "./conn.ts";

/** What the system's error codes mean; the runtimes word them differently, or not at all. */
const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "address not available",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the peer",
  EHOSTUNREACH: "no route to the host",
  EMFILE: "too many open files",
  ENETUNREACH: "network unreachable",
  ENOENT: "no such file",
  ENOTFOUND: "unknown host",
  EPERM: "not permitted",
  ETIMEDOUT: "timed out",
};

/** The error of a failed `listen()` or `dial()`: what, where, why; `code` and `cause` are the system's. */
export function systemError(
  action: "listen on" | "connect to",
  { unix, hostname, port }: ListenOptions | DialOptions,
  cause: unknown,
): Error {
  const host = hostname?.includes(":") ? `[${hostname}]` : hostname;
  const code = readCode(cause);
  const why = (code && MEANINGS[code]) ?? (cause instanceof Error ? cause.message : String(cause));
  const error = new Error(`Cannot ${action} ${unix ?? `${host}:${port}`}: ${why}`, { cause });
  return code === undefined ? error : Object.assign(error, { code });
}

function readCode(cause: unknown): string | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}
