/**
 * The requests to open a WebSocket that an HTTP/2 server of `node:http2` receives.
 *
 * @module
 */

import type {
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Stream,
  Settings,
} from "node:http2";
import { isExtendedConnect } from "../core/extended_connect.ts";
import { guardSession } from "../runtime/deno_http2.ts";
import { toFields } from "../runtime/http2_stream.ts";
import type { StreamEvent } from "./http2_exchange.ts";

/** What is needed of a server of `node:http2`. */
export interface Http2ServerLike {
  // deno-lint-ignore no-explicit-any -- `node:http2` has a type for each event
  on(event: string, listener: (...args: any[]) => void): unknown;
  // deno-lint-ignore no-explicit-any -- as above
  off(event: string, listener: (...args: any[]) => void): unknown;
  listenerCount(event: string): number;
  updateSettings(settings: Settings): void;
}

/** Whether a server speaks HTTP/2, with or without HTTP/1.1 beside it. */
export function isHttp2(server: object): server is Http2ServerLike {
  return typeof (server as Partial<Http2ServerLike>).updateSettings === "function";
}

/** Listens to a server's streams, and leaves alone what is no WebSocket. */
export class StreamListener {
  readonly #server: Http2ServerLike;
  readonly #receive: (event: StreamEvent) => void;

  constructor(server: Http2ServerLike, receive: (event: StreamEvent) => void) {
    this.#server = server;
    this.#receive = receive;
  }

  start(): void {
    // Sessions that are there already were told when they began. It stays for good: "a sender MUST NOT
    // send [it] with the value of 0 after previously sending a value of 1" (RFC 8441 section 3).
    this.#server.updateSettings({ enableConnectProtocol: true });
    this.#server.on("session", guardSession);
    this.#server.on("stream", this.#onStream);
    this.#server.on("connect", this.#onConnect);
  }

  stop(): void {
    this.#server.off("session", guardSession);
    this.#server.off("stream", this.#onStream);
    this.#server.off("connect", this.#onConnect);
  }

  readonly #onStream = (
    stream: ServerHttp2Stream,
    _headers: unknown,
    _flags: number,
    raw: readonly string[],
  ): void => {
    if (isWebSocket(raw)) {
      this.#receive({ stream, fields: raw });
    } else if (this.#server.listenerCount("stream") === 1) {
      // Without us `node:http2` would say so itself.
      stream.on("error", () => {});
      if (stream.destroyed || stream.closed) return; // reset, or gone, with the bytes that brought it
      stream.respond({ ":status": isExtendedConnect(toFields(raw)) ? 501 : 404 }, {
        endStream: true,
      });
    }
  };

  /** Of servers with a listener for `request`: without this one, `node:http2` refuses every CONNECT. */
  readonly #onConnect = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    if (isWebSocket(request.rawHeaders) || this.#server.listenerCount("connect") > 1) return;
    if (request.stream.destroyed || request.stream.closed) return;
    response.writeHead(":protocol" in request.headers ? 501 : 405);
    response.end();
  };
}

function isWebSocket(raw: readonly string[]): boolean {
  const fields = toFields(raw);
  return isExtendedConnect(fields) &&
    fields.some(([name, value]) => name === ":protocol" && value.toLowerCase() === "websocket");
}
