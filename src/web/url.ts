/**
 * The URLs of the web's classes, and the subprotocols that go with them.
 *
 * @module
 */

import { showNoUrl } from "../client/target.ts";
import { isToken } from "../core/headers.ts";

let base: URL | undefined;

/**
 * What relative URLs of {@linkcode WebSocket} and {@linkcode WebSocketStream} are relative to, and
 * whose origin is sent as `Origin` where no option says otherwise; `null` for nothing. A browser takes
 * the page's address. Throws a `TypeError` for what is no URL.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { setBaseURL, WebSocket } from "@twoway/websocket/web";
 *
 * setBaseURL("http://127.0.0.1:1/app/");
 * const socket = new WebSocket("../chat");
 * assertEquals(socket.url, "ws://127.0.0.1:1/chat");
 * socket.close();
 * setBaseURL(null);
 * ```
 */
export function setBaseURL(url: string | URL | null): void {
  base = url === null ? undefined : new URL(url);
}

/** The `Origin` of a connection for which none is given; `undefined` where there is no base URL. */
export function baseOrigin(): string | undefined {
  return base?.origin;
}

/**
 * The URL to connect to, its scheme `ws:` or `wss:`. Throws a `SyntaxError` `DOMException` for what is
 * none ("obtain a URL record for a WebSocket").
 */
export function parseWebSocketUrl(text: string): URL {
  const url = tryUrl(text);
  if (url === null) throw syntaxError(`${showNoUrl(text)} is not a URL`);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw syntaxError(`The URL's scheme is ${JSON.stringify(url.protocol)}, not ws: or wss:`);
  }
  if (url.href.includes("#")) throw syntaxError("The URL has a fragment");
  return url;
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

/** Throws a `SyntaxError` `DOMException` unless these can be offered: tokens, unique in any case. */
export function checkOffers(protocols: readonly string[]): void {
  // They are not shown: some servers take credentials there.
  const wrong = protocols.findIndex((protocol) => !isToken(protocol));
  if (wrong >= 0) throw syntaxError(`Subprotocol ${wrong + 1} of the list is not a token`);
  if (new Set(protocols.map((protocol) => protocol.toLowerCase())).size < protocols.length) {
    throw syntaxError("The same subprotocol is listed twice");
  }
}

/** A `DOMException` named `SyntaxError`. */
export function syntaxError(message: string): DOMException {
  return new DOMException(message, "SyntaxError");
}

/** Ports of other services, to which the web does not connect (Fetch, "bad port"). */
const BAD_PORTS: ReadonlySet<string> = new Set(
  ("0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 " +
    "115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 " +
    "556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 " +
    "6666 6667 6668 6669 6679 6697 10080").split(" "),
);

/** Whether the web refuses to connect to the URL's port. */
export function hasBadPort(url: URL): boolean {
  return BAD_PORTS.has(url.port);
}
