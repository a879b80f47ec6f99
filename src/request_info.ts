/**
 * The opening request as a session keeps it: small, frozen, and turned into a web `Request` only
 * when somebody asks (one of those per session costs 4–6 KiB).
 *
 * @module
 */

import { HandshakeError } from "./core/errors.ts";
import type { HeaderList } from "./core/headers.ts";
import type { RequestHead } from "./core/http.ts";

/** A request's head, and the bytes that came behind it. */
export interface ReceivedHead {
  readonly head: RequestHead;
  readonly rest: Uint8Array;
}

/**
 * The request that opens, or asks to open, a WebSocket.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type RequestInfo, serve, type TcpAddr } from "@twoway/websocket";
 *
 * function roomOf(request: RequestInfo): string {
 *   return new URL(request.toRequest().url).searchParams.get("room") ?? "lobby";
 * }
 * const server = await serve({ port: 0 }, (session) => session.send(roomOf(session.request)));
 * const { port } = server.addr as TcpAddr;
 * const session = await connect(`ws://127.0.0.1:${port}/chat?room=7`);
 * assertEquals(await session.receive(), "7");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface RequestInfo {
  /** In an opening handshake `"GET"` over HTTP/1.1, and `"CONNECT"` over HTTP/2. */
  readonly method: string;
  /** The version of HTTP that the request came by. */
  readonly httpVersion: "1.1" | "2.0";
  /** The request target as received, such as `"/chat?room=1"`. */
  readonly target: string;
  /** The header fields; names in lower case. */
  readonly headers: HeaderList;
  /** The same as a web `Request` without a body; a `GET` in either version. */
  toRequest(): Request;
}

/** A head as a session keeps it: frozen. */
class FrozenRequest implements RequestInfo {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly #isSecure: boolean;

  constructor({ method, target, headers }: RequestHead, isSecure: boolean) {
    this.method = method;
    this.target = target;
    this.headers = headers;
    this.#isSecure = isSecure;
    Object.freeze(this);
  }

  /** What opens a WebSocket is a CONNECT in HTTP/2, and in HTTP/1.1 never. */
  get httpVersion(): "1.1" | "2.0" {
    return this.method === "CONNECT" ? "2.0" : "1.1";
  }

  toRequest(): Request {
    // Web requests can't be a CONNECT.
    const method = this.method === "CONNECT" ? "GET" : this.method;
    const { target, headers } = this;
    return toWebRequest({ method, target, headers }, this.#isSecure);
  }
}

/**
 * Freezes a request head. `isSecure` chooses between `http:` and `https:` in the URL of
 * {@linkcode RequestInfo.toRequest}.
 */
export function createRequestInfo(head: RequestHead, isSecure: boolean): RequestInfo {
  return new FrozenRequest(head, isSecure);
}

/**
 * A web `Request` for a head that has been read, with the body behind it. Throws a
 * {@linkcode HandshakeError} with status 400 where this runtime takes its Host for no name, which
 * only happens with names that begin with `xn--`.
 */
export function toWebRequest(head: RequestHead, isSecure: boolean, init?: RequestInit): Request {
  const { method, target, headers } = head;
  const origin = `${isSecure ? "https" : "http"}://${headers.get("host") ?? "localhost"}`;
  // Concatenated, not resolved: "//evil.example/x" is a path here, not an authority.
  const url = origin + (target.startsWith("/") ? target : "/");
  if (!URL.canParse(url)) throw new HandshakeError("Host is not a name", { status: 400 });
  return new Request(url, { method, headers: [...headers], ...init });
}
