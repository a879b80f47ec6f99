/**
 * The errors that this library raises on purpose. Misuse of the API raises the built-in
 * `TypeError` and `RangeError` instead.
 *
 * @module
 */

import { CloseCode } from "./close_code.ts";

/**
 * The peer broke a rule of RFC 6455, of an extension or of our limits on an open connection.
 * `closeCode` is what the Close frame that answers it carries.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { Protocol, ProtocolError } from "@twoway/websocket/core";
 *
 * const limits = { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 1 };
 * const server = new Protocol({ role: "server", limits });
 * server.receive(Uint8Array.of(0x81, 0x02, 0x68, 0x69)); // clients mask: this frame is not
 * const event = server.next();
 * if (event?.type !== "error") throw new Error("It was let through");
 * assert(event.error instanceof ProtocolError);
 * assertEquals(event.error.closeCode, 1002);
 * ```
 */
export class ProtocolError extends Error {
  /** The close code that names the kind of fault to the peer. */
  readonly closeCode: number;

  /** `message` is the reason that the peer is told. */
  constructor(message: string, closeCode: number = CloseCode.ProtocolError) {
    super(message);
    this.name = "ProtocolError";
    this.closeCode = closeCode;
  }
}

/**
 * What a {@linkcode HandshakeError} knows beyond its message.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { HandshakeError, type HandshakeErrorInit } from "@twoway/websocket/core";
 *
 * const busy: HandshakeErrorInit = { status: 503, headers: [["retry-after", "10"]] };
 * const error = new HandshakeError("There is no room", busy);
 * assertEquals(error.status, 503);
 * assertEquals(error.headers, [["retry-after", "10"]]);
 * ```
 */
export interface HandshakeErrorInit extends ErrorOptions {
  /** The HTTP status of the response that refuses (server) or refused (client). */
  readonly status?: number;
  /** Header fields of that response. */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  /** The beginning of that response's body, at most 64 KiB. */
  readonly body?: Uint8Array;
}

/**
 * The opening handshake failed. On a server, `status` and `headers` are the refusal to send; on a
 * client, the refusal received (`status` is undefined where no response came).
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { connect, HandshakeError, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const accept = () => new Response("Who are you?", { status: 401 });
 * const server = await serve({ port: 0, accept }, () => {});
 * const { port } = server.addr as TcpAddr;
 *
 * const error = await assertRejects(() => connect(`ws://127.0.0.1:${port}/`), HandshakeError);
 * assertEquals(error.status, 401);
 * assertEquals(new TextDecoder().decode(error.body), "Who are you?");
 * await server.shutdown();
 * ```
 */
export class HandshakeError extends Error {
  /** The HTTP status code, where there is a response. */
  readonly status: number | undefined;
  /** Header fields of the response, names in lower case where they were received. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** The first bytes of the response's body; empty where there is none. */
  readonly body: Uint8Array;

  /** `message` says what was wrong with the request or the response. */
  constructor(message: string, init: HandshakeErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "HandshakeError";
    this.status = init.status;
    this.headers = [...(init.headers ?? [])];
    this.body = init.body ?? new Uint8Array(0);
  }
}
