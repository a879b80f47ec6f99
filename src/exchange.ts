/**
 * One request to open a WebSocket, and its answer, in one version of HTTP and from one source: what
 * differs between bytes that we read ourselves, `node:http` and HTTP/2. All decisions are elsewhere.
 *
 * @module
 */

import {
  type CheckedOpening,
  type CheckedRequest,
  checkRequest,
  createResponse,
  type ResponseOptions,
} from "./core/handshake.ts";
import { HandshakeError } from "./core/errors.ts";
import type { RequestHead } from "./core/http.ts";
import { respond, type ResponderOptions } from "./http_responder.ts";
import { encodeRefusal } from "./refusal.ts";
import type { ReceivedHead } from "./request_info.ts";
import type { Conn } from "./runtime/conn.ts";

/** Writes the acceptance; the Conn then carries frames. */
export type WriteAcceptance = () => Promise<void> | void;

/** What is needed to refuse. */
export interface RefusalOptions extends Omit<ResponderOptions, "method"> {
  /** Milliseconds for others to write the refusal in our place. */
  readonly handshakeTimeout: number;
}

/** A request to open a WebSocket that waits for its answer. */
export interface Exchange {
  /** The request as received, checked or not. */
  readonly head: RequestHead;
  /** What came behind the request and the Conn will not read again. */
  readonly rest: Uint8Array;
  /**
   * Checks the request. Throws a {@linkcode HandshakeError} with the status and header fields of the
   * refusal; any other error makes that 500.
   */
  check(): CheckedOpening;
  /**
   * Prepares the answer that accepts; `check()` has succeeded. Rejects with a `TypeError` for what
   * was not offered or can't be written: then nothing has been, and the exchange can be refused.
   */
  prepare(options: ResponseOptions): Promise<WriteAcceptance>;
  /**
   * Writes an answer that refuses, complete and readable by the client, and ends the connection.
   * Never rejects for what the client does; an error of the answer's own body is thrown.
   */
  refuse(refusal: Response | HandshakeError, options: RefusalOptions): Promise<void>;
}

/** How an {@linkcode Exchange} begins on a Conn whose requests somebody else reads. */
export type Open = (conn: Conn) => Exchange;

/** A connection that has come, from wherever. */
export interface Arrival {
  readonly conn: Conn;
  /** Whether the connection itself is encrypted. */
  readonly isSecure: boolean;
  /** Where somebody else reads the requests: the one that this is about. @default {we read it} */
  readonly open?: Open;
}

/** A request by HTTP/1.1. */
export class Http1Exchange implements Exchange {
  readonly head: RequestHead;
  readonly rest: Uint8Array;
  readonly #conn: Conn;
  #checked: CheckedRequest | null = null;

  /** `conn` has delivered the request, and is where the answer goes. */
  constructor(conn: Conn, { head, rest }: ReceivedHead) {
    this.#conn = conn;
    this.head = head;
    this.rest = rest;
  }

  check(): CheckedOpening {
    this.#checked = checkRequest(this.head);
    return this.#checked;
  }

  prepare(options: ResponseOptions): Promise<WriteAcceptance> {
    return createResponse(this.#checked!, options).then((response) => () =>
      this.#conn.write(response)
    );
  }

  async refuse(refusal: Response | HandshakeError, options: RefusalOptions): Promise<void> {
    const response = refusal instanceof HandshakeError ? encodeRefusal(refusal) : refusal;
    // Whatever the method, the reason is told: nothing follows on this connection.
    await respond(this.#conn, response, { ...options, method: "GET" });
  }
}
