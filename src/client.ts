/**
 * A WebSocket client: dials, performs the opening handshake (RFC 6455 section 4.1) and hands over
 * an open session.
 *
 * @module
 */

import { checkClock, type Clock, sharedTimers, Timers } from "./clock.ts";
import { type Compression, CompressionOffer } from "./compression.ts";
import { type BodyFraming, BodyReader } from "./core/body.ts";
import { HandshakeError } from "./core/errors.ts";
import {
  checkProtocols,
  checkResponse,
  createKey,
  createRequest,
  type RequestOptions,
} from "./core/handshake.ts";
import { checkUserHeaders, formatExtensions, type HeadersInput } from "./core/headers.ts";
import { encodeRequest, HeadReader, type RequestHead, type ResponseHead } from "./core/http.ts";
import { createReporter, TimeoutError } from "./errors.ts";
import { nextMaskKey } from "./mask_keys.ts";
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  type SessionOptions,
} from "./options.ts";
import { createRequestInfo } from "./request_info.ts";
import { type Conn, prepend, type TlsClientOptions } from "./runtime/conn.ts";
import { dial } from "./runtime/mod.ts";
import { type SessionHandlers, WebSocketSession } from "./session.ts";

/** Options of {@linkcode connect}. Unknown names throw. */
export interface ConnectOptions<Data = unknown> extends SessionOptions {
  /** Subprotocols to offer, in order of preference. */
  readonly protocols?: readonly string[];
  /** Header fields to add to the request. */
  readonly headers?: HeadersInput;
  /** The `Origin` to send; programs other than browsers need none. */
  readonly origin?: string;
  /** Gives up connecting; once the session is open it has no effect. */
  readonly signal?: AbortSignal;
  /** For `wss:`: additional authorities and the name to verify. Verification is always on. */
  readonly tls?: TlsClientOptions;
  /** The path of a Unix socket to connect to; the URL then only names the host and the target. */
  readonly unix?: string;
  /** A connection that is ready for the handshake, in place of dialling. */
  readonly conn?: Conn;
  /** Becomes `session.data`. */
  readonly data?: Data;
  /** Handlers, for those who prefer them to iteration. */
  readonly handlers?: SessionHandlers<Data>;
  /** Where time comes from; for tests. @default {the machine's} */
  readonly clock?: Clock;
  /** Told about every error of the handlers. @default {console.error} */
  readonly onError?: (error: unknown) => void;
}

const OPTIONS = [
  "protocols",
  "headers",
  "origin",
  "signal",
  "tls",
  "unix",
  "conn",
  "data",
  "handlers",
  "clock",
  "onError",
];

/** The most interim responses, such as 103 Early Hints, before the one that counts. */
const MAX_INTERIM = 8;

/** How much of a refusal's body is kept. */
const MAX_REFUSAL_BODY = 65_536;

/**
 * Opens a WebSocket connection to a `ws:` or `wss:` URL (`http:` and `https:` mean the same).
 * Resolves when the session is open.
 *
 * Rejects with a `TypeError` or `RangeError` for wrong arguments; with a {@linkcode HandshakeError}
 * when the server refuses (its `status`, `headers` and the beginning of its `body`) or answers
 * wrongly; with a {@linkcode TimeoutError} after `handshakeTimeout`; with the signal's reason; and
 * with the system's error if the server can't be reached.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, async (session) => void (await session.send("hello")));
 * if (server.addr.transport !== "tcp") throw new Error("Not a TCP address");
 *
 * const session = await connect(`ws://127.0.0.1:${server.addr.port}/`);
 * for await (const message of session) console.log(message); // hello
 * await server.shutdown();
 * ```
 */
export async function connect<Data = unknown>(
  url: string | URL,
  options: ConnectOptions<Data> = {},
): Promise<WebSocketSession<Data>> {
  const resolved = checkConnectOptions(options);
  const timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
  const target = parseUrl(url);
  const offer = resolved.compress === false
    ? null
    : new CompressionOffer(resolved.compress, timers);
  const request = prepareRequest(target, options, offer?.extensions);
  const attempt = new Attempt(resolved.handshakeTimeout, options.signal, timers);
  try {
    const conn = options.conn ?? await dial({
      hostname: target.hostname,
      port: target.port,
      unix: options.unix,
      tls: target.isSecure ? options.tls ?? {} : undefined,
      signal: attempt.signal,
    });
    attempt.guard(conn);
    const { response, rest } = await exchange(conn, request, resolved);
    const agreed = await checkAnswer(conn, request, response, rest);
    attempt.signal.throwIfAborted();
    const agreement = {
      protocol: agreed.protocol,
      extensions: formatExtensions(agreed.extensions),
      compression: offer?.accept(agreed.extensions) ?? null,
    };
    return open(prepend(conn, rest), request, agreement, target, resolved, options, timers);
  } catch (error) {
    offer?.close();
    attempt.fail();
    throw attempt.explain(error);
  } finally {
    attempt.end();
  }
}

/** Fills in the defaults; throws a `TypeError` or `RangeError` for what can't be an option. */
export function checkConnectOptions<Data>(options: ConnectOptions<Data>): ResolvedSessionOptions {
  const resolved = resolveSessionOptions(options, OPTIONS);
  checkClock(options.clock);
  checkProtocols(options.protocols ?? []);
  checkUserHeaders(options.headers);
  return resolved;
}

interface Target {
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** As in the Host header: without the scheme's default port. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

function parseUrl(text: string | URL): Target {
  const shown = JSON.stringify(String(text).slice(0, 200));
  const url = tryUrl(text);
  if (url === null) throw new TypeError(`Cannot connect: ${shown} is not a URL`);
  const isSecure = url.protocol === "wss:" || url.protocol === "https:";
  if (!isSecure && url.protocol !== "ws:" && url.protocol !== "http:") {
    throw new TypeError(
      `Cannot connect: the URL's scheme is ${JSON.stringify(url.protocol)}, not ws: or wss:`,
    );
  }
  // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (3)
  if (String(text).includes("#")) throw new TypeError(`Cannot connect: the URL has a fragment`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("Cannot connect: the URL has a user name or password; use option headers");
  }
  return {
    isSecure,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    host: url.host,
    path: url.pathname + url.search,
  };
}

function tryUrl(text: string | URL): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** The request, and what its answer is checked against. */
interface Prepared extends RequestOptions {
  readonly head: RequestHead;
}

function prepareRequest<Data>(
  { host, path }: Target,
  { protocols = [], headers, origin }: ConnectOptions<Data>,
  extensions: string | undefined,
): Prepared {
  const key = createKey(crypto.getRandomValues(new Uint8Array(16)));
  const request = { host, target: path, key, protocols, extensions, headers, origin };
  return { ...request, head: createRequest(request) };
}

/** What bounds connecting: the handshake's time and the caller's signal. */
class Attempt {
  readonly #controller = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #timer: { cancel(): void };
  readonly #onAbort = (): void => this.#abort(this.#signal!.reason);
  #conn: Conn | null = null;

  constructor(ms: number, signal: AbortSignal | undefined, timers: Timers) {
    signal?.throwIfAborted();
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    const timedOut = new TimeoutError(`The handshake took more than ${ms} ms (handshakeTimeout)`);
    this.#timer = timers.set(ms, () => this.#abort(timedOut));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Closes this connection too when time is up. */
  guard(conn: Conn): void {
    this.#conn = conn;
    if (this.signal.aborted) conn.close();
  }

  fail(): void {
    this.#conn?.close();
  }

  /** Why connecting failed: a refusal is one even if there was no time for all of its body. */
  explain(error: unknown): unknown {
    const { aborted, reason } = this.signal;
    const isRefusal = error instanceof HandshakeError && error.status !== undefined;
    return aborted && !(isRefusal && reason instanceof TimeoutError) ? reason : error;
  }

  end(): void {
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  #abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#conn?.close();
  }
}

interface Answer {
  readonly response: ResponseHead;
  readonly rest: Uint8Array;
}

async function exchange(
  conn: Conn,
  request: Prepared,
  { limits }: ResolvedSessionOptions,
): Promise<Answer> {
  await conn.write(encodeRequest(request.head));
  let early: Uint8Array = new Uint8Array(0);
  for (let count = 0; count <= MAX_INTERIM; count++) {
    const reader = HeadReader.forResponses(limits);
    let response = early.length === 0 ? null : reader.receive(early);
    while (response === null) {
      const bytes = await conn.read();
      if (bytes === null) throw new HandshakeError("The server closed the connection unanswered");
      response = reader.receive(bytes);
    }
    if (!isInterim(response.status)) return { response, rest: reader.rest };
    early = reader.rest;
  }
  throw new HandshakeError(`The server sent more than ${MAX_INTERIM} interim responses`);
}

/** 100 Continue and 103 Early Hints; 102 has no place before the answer to a GET. */
function isInterim(status: number): boolean {
  return status === 100 || status === 103;
}

async function checkAnswer(
  conn: Conn,
  request: Prepared,
  response: ResponseHead,
  rest: Uint8Array,
): ReturnType<typeof checkResponse> {
  try {
    return await checkResponse(response, request);
  } catch (error) {
    if (!(error instanceof HandshakeError) || response.status < 200) throw error;
    const body = await readRefusal(conn, response, rest);
    throw new HandshakeError(error.message, {
      status: response.status,
      headers: response.headers,
      body,
    });
  }
}

/** The first 64 KiB of the body of a response that refuses; what is broken or missing is left out. */
async function readRefusal(
  conn: Conn,
  { headers, status }: ResponseHead,
  rest: Uint8Array,
): Promise<Uint8Array> {
  const length = Number(headers.get("content-length") ?? NaN);
  const isChunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked";
  const framing: BodyFraming = status === 204 || status === 304
    ? { kind: "none" }
    : isChunked
    ? { kind: "chunked" }
    : Number.isSafeInteger(length) && length >= 0
    ? { kind: "length", length }
    : { kind: "end" };
  const body = new BodyReader(framing, MAX_REFUSAL_BODY, "truncate");
  try {
    body.receive(rest);
    while (!body.isComplete) {
      const bytes = await conn.read();
      if (bytes === null) break;
      body.receive(bytes);
    }
  } catch {
    // The status is what counts.
  }
  return body.bytes;
}

function open<Data>(
  conn: Conn,
  { head }: Prepared,
  agreement: { protocol: string; extensions: string; compression: Compression | null },
  { isSecure }: Target,
  resolved: ResolvedSessionOptions,
  options: ConnectOptions<Data>,
  timers: Timers,
): WebSocketSession<Data> {
  return new WebSocketSession<Data>({
    conn,
    role: "client",
    maskKey: nextMaskKey,
    options: resolved,
    timers,
    request: createRequestInfo(head, isSecure),
    ...agreement,
    data: options.data as Data,
    handlers: options.handlers,
    onError: createReporter("WebSocket client", options.onError),
  });
}
