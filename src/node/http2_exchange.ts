/**
 * A request that came over HTTP/2 to a server of `node:http2`, up to its answer (RFC 8441 section 5).
 *
 * @module
 */

import type { ServerHttp2Stream } from "node:http2";
import { HandshakeError } from "../core/errors.ts";
import {
  checkConnect,
  type CheckedConnect,
  createConnectResponse,
  type Http2Fields,
} from "../core/extended_connect.ts";
import type { CheckedOpening, ResponseOptions } from "../core/handshake.ts";
import type { HeadLimits } from "../core/head_reader.ts";
import type { RequestHead } from "../core/http.ts";
import { checkSizes, createHead } from "../core/parsed_head.ts";
import type { Arrival, Exchange, RefusalOptions, WriteAcceptance } from "../exchange.ts";
import { answer, BODILESS, CONNECTION_HEADERS, type Write } from "../http_responder.ts";
import { toResponse } from "../refusal.ts";
import type { Conn } from "../runtime/conn.ts";
import { Http2Conn, toFields, toHeaders } from "../runtime/http2_stream.ts";

/** What a `stream` event gives. */
export interface StreamEvent {
  readonly stream: ServerHttp2Stream;
  /** The request's fields as received, names and values in turns. */
  readonly fields: readonly string[];
}

/**
 * Takes over the stream, at once: a reset from now on harms nobody. `reason` is why the request is
 * refused whatever it says.
 */
export function arriveByHttp2(event: StreamEvent, limits: HeadLimits, reason?: unknown): Arrival {
  const { stream } = event;
  return {
    conn: new Http2Conn(stream),
    isSecure: stream.session?.encrypted ?? false,
    open: (conn) => new Http2Exchange(conn, event, limits, reason),
  };
}

class Http2Exchange implements Exchange {
  readonly rest: Uint8Array = new Uint8Array(0);
  readonly #conn: Conn;
  readonly #event: StreamEvent;
  readonly #limits: HeadLimits;
  readonly #reason: unknown;
  #checked: CheckedConnect | null = null;

  constructor(conn: Conn, event: StreamEvent, limits: HeadLimits, reason: unknown) {
    this.#conn = conn;
    this.#event = event;
    this.#limits = limits;
    this.#reason = reason;
  }

  get head(): RequestHead {
    if (this.#checked !== null) return this.#checked.head;
    const { fields } = this.#event;
    const own = toFields(fields).filter(([name]) => !name.startsWith(":")).flat();
    return createHead({ method: "CONNECT", target: pathOf(fields), version: "2.0", fields: own });
  }

  check(): CheckedOpening {
    const { fields } = this.#event;
    checkSizes(pathOf(fields), fields, this.#limits);
    this.#checked = checkConnect(toFields(fields));
    if (this.#reason !== undefined) throw this.#reason;
    return this.#checked;
  }

  // deno-lint-ignore require-await -- what it throws is to reject
  async prepare(options: ResponseOptions): Promise<WriteAcceptance> {
    const fields = createConnectResponse(this.#checked!, options);
    return () => this.#sendHead(fields);
  }

  async refuse(refusal: Response | HandshakeError, options: RefusalOptions): Promise<void> {
    const response = refusal instanceof HandshakeError ? toResponse(refusal) : refusal;
    if (this.#event.stream.closed || this.#event.stream.destroyed) {
      this.#conn.close(); // the client has reset it: nobody's fault, and nobody to be told
      return await response.body?.cancel().catch(() => {});
    }
    if (response.ok) return await this.#refuseInstead(response, options);
    // It lingers: streams of node:http2 fail if they are reset before all has been read, even with NO_ERROR.
    await answer(this.#conn, options, async (write) => {
      this.#sendHead(refusalFields(response));
      await writeBody(write, response);
    });
  }

  /** "Any 2xx (Successful) response" would open the WebSocket for the client (RFC 9110 section 9.3.6). */
  async #refuseInstead({ status, body }: Response, options: RefusalOptions): Promise<void> {
    await body?.cancel().catch(() => {}); // it may have been read before
    await this.refuse(new HandshakeError("Internal Server Error", { status: 500 }), options);
    throw new TypeError(`Cannot refuse over HTTP/2 with status ${status}: that accepts`);
  }

  #sendHead(fields: Http2Fields): void {
    this.#event.stream.respond(toHeaders(fields));
  }
}

/** `:path`, checked or not. */
export function pathOf(fields: readonly string[]): string {
  return toFields(fields).find(([name]) => name === ":path")?.[1] ?? "";
}

/** What HTTP/2 has no place for, or says itself. */
const OTHERS = new Set(["upgrade", "content-length", "http2-settings", "proxy-connection", "te"]);

function refusalFields({ status, headers }: Response): [name: string, value: string][] {
  const own = [...headers].filter(([name]) => !CONNECTION_HEADERS.has(name) && !OTHERS.has(name));
  return [[":status", `${status}`], ...own];
}

/** HTTP/2 frames the body itself. Whoever makes it learns when nobody reads it any more. */
async function writeBody(write: Write, { status, body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    if (BODILESS.has(status)) return;
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (chunk.value.length > 0) await write(chunk.value);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
