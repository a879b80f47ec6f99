/**
 * How the web's classes connect: not to every port, and to each host one after another.
 *
 * @module
 */

import { type ConnectOptions, connectWith } from "../client.ts";
import type { WebSocketSession } from "../session.ts";
import { hasBadPort } from "./url.ts";

/** For each host the last handshake that is under way or waits; it settles when that one is over. */
const handshakes = new Map<string, Promise<void>>();

/**
 * Like `connect()`, but waits for earlier handshakes with the same host: "there MUST be no more than
 * one connection in a CONNECTING state" (RFC 6455 section 4.1). A host is a name and a port: two names
 * of one address are two hosts here.
 */
export async function connectInTurn(
  url: URL,
  options: ConnectOptions,
  opening?: () => Promise<void>,
): Promise<WebSocketSession> {
  if (hasBadPort(url)) throw new TypeError(`Cannot connect: port ${url.port} is blocked`);
  const host = options.unix ?? `${url.hostname}:${portOf(url)}`;
  const earlier = handshakes.get(host);
  const { signal } = options;
  const session = earlier === undefined
    ? connectWith(url, options, opening)
    : settled(earlier, signal!).then(() => connectWith(url, options, opening));
  // Who gives up while waiting does not let those behind go first.
  const over: Promise<void> = Promise.allSettled([earlier, session]).then(() => {
    if (handshakes.get(host) === over) handshakes.delete(host);
  });
  handshakes.set(host, over);
  return await session;
}

/** Waits for a promise that does not reject, but no longer than until the signal's abort. */
function settled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.then(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}

function portOf({ port, protocol }: URL): string {
  return port !== "" ? port : protocol === "wss:" ? "443" : "80";
}
