/**
 * A request that `node:http` has read, up to its answer by HTTP/1.1.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HandshakeError } from "../core/errors.ts";
import type { CheckedOpening, ResponseOptions } from "../core/handshake.ts";
import type { HeadLimits } from "../core/head_reader.ts";
import type { RequestHead } from "../core/http.ts";
import { checkHead, createHead, type ParsedRequest } from "../core/parsed_head.ts";
import {
  type Arrival,
  type Exchange,
  Http1Exchange,
  type RefusalOptions,
  type WriteAcceptance,
} from "../exchange.ts";
import { linger } from "../http_responder.ts";
import type { Conn } from "../runtime/conn.ts";
import { NodeSocket } from "../runtime/node_socket.ts";
import { type Refuse, render } from "./refusal.ts";

/** What an `upgrade` event gives. */
export interface UpgradeEvent {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

/** How to answer it. */
export interface AnswerOptions {
  readonly limits: HeadLimits;
  /** Renders refusals in our place. */
  readonly refuse: Refuse | undefined;
  /** Told of what `refuse` throws. */
  readonly onError: (error: unknown) => void;
}

/**
 * Takes over the socket, at once: a reset from now on harms nobody. `reason` is why the request is
 * refused whatever it says.
 */
export function arrive(event: UpgradeEvent, options: AnswerOptions, reason?: unknown): Arrival {
  const { socket } = event;
  const { encrypted = false } = socket as { encrypted?: boolean };
  return {
    conn: NodeSocket.adopt(socket),
    isSecure: encrypted,
    open: (conn) => new NodeExchange(conn, event, options, reason),
  };
}

/** The request as `node:http` tells it, before anything is checked. */
export function parsedRequest(request: IncomingMessage): ParsedRequest {
  const { method = "", url = "", httpVersion, rawHeaders } = request;
  return { method, target: url, version: httpVersion, fields: rawHeaders };
}

class NodeExchange implements Exchange {
  readonly rest: Uint8Array;
  readonly #conn: Conn;
  readonly #event: UpgradeEvent;
  readonly #options: AnswerOptions;
  readonly #reason: unknown;
  readonly #parsed: ParsedRequest;
  #http1: Http1Exchange;

  constructor(conn: Conn, event: UpgradeEvent, options: AnswerOptions, reason: unknown) {
    this.#conn = conn;
    this.#event = event;
    this.#options = options;
    this.#reason = reason;
    this.#parsed = parsedRequest(event.request);
    this.rest = new Uint8Array(event.head); // ours to change
    this.#http1 = this.#create(createHead(this.#parsed));
  }

  get head(): RequestHead {
    return this.#http1.head;
  }

  check(): CheckedOpening {
    const target = checkHead(this.#parsed, this.head, this.#options.limits);
    this.#http1 = this.#create({ ...this.head, target });
    if (this.#reason !== undefined) throw this.#reason;
    return this.#http1.check();
  }

  prepare(options: ResponseOptions): Promise<WriteAcceptance> {
    return this.#http1.prepare(options);
  }

  async refuse(answer: Response | HandshakeError, options: RefusalOptions): Promise<void> {
    const { refuse, onError } = this.#options;
    if (refuse === undefined || !(answer instanceof HandshakeError)) {
      return await this.#http1.refuse(answer, options);
    }
    const { request, socket } = this.#event;
    const rendering = await render(refuse, request, socket, answer, { ...options, onError });
    if (rendering === "nothing") return await this.#http1.refuse(answer, options);
    if (rendering === "whole") await linger(this.#conn, options.timers);
    this.#conn.close();
  }

  #create(head: RequestHead): Http1Exchange {
    return new Http1Exchange(this.#conn, { head, rest: this.rest });
  }
}
