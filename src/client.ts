/**
 * A WebSocket client: dials, performs the opening handshake (RFC 6455 section 4.1) and hands over
 * an open session.
 *
 * @module
 */

import { Attempt } from "./client/attempt.ts";
import { checkClock, type Clock, sharedTimers, Timers } from "./clock.ts";
import { CompressionOffer } from "./compression.ts";
import { formatExtensions } from "./core/extensions.ts";
import { type Agreement, checkProtocols } from "./core/handshake.ts";
import type { HeadersInput } from "./core/headers.ts";
import type { RequestHead } from "./core/http.ts";
import { createReporter } from "./errors.ts";
import { nextMaskKey } from "./mask_keys.ts";
import { askByHttp2, checkHttp2 } from "./client/http2.ts";
import { ask, type Reply } from "./client/opening.ts";
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  type SessionOptions,
} from "./options.ts";
import type { ProxyOptions } from "./client/proxy.ts";
import { checkRedirects, Redirects } from "./client/redirects.ts";
import { createRequestInfo } from "./request_info.ts";
import { checkRoute, Route } from "./client/route.ts";
import type { Conn, TlsClientOptions } from "./runtime/conn.ts";
import type { Http2Session } from "./runtime/http2_client.ts";
import { type SessionHandlers, WebSocketSession } from "./session.ts";
import { firstLeg, type Leg } from "./client/target.ts";
import { checkTls } from "./client/tls_options.ts";
import { readUserHeaders } from "./client/user_headers.ts";

/**
 * Options of {@linkcode connect}. Unknown names throw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type ConnectOptions, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, (session) => {
 *   return session.send(session.request.headers.get("authorization") ?? "nobody");
 * });
 * const { port } = server.addr as TcpAddr;
 * const options: ConnectOptions = {
 *   headers: { authorization: "Bearer 123" },
 *   handshakeTimeout: 5000,
 *   limits: { maxMessageSize: 65_536 },
 * };
 * const session = await connect(`ws://127.0.0.1:${port}/`, options);
 * assertEquals(await session.receive(), "Bearer 123");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface ConnectOptions<Data = unknown> extends SessionOptions {
  /** Subprotocols to offer, in order of preference. */
  readonly protocols?: readonly string[];
  /** Header fields to add to the request. */
  readonly headers?: HeadersInput;
  /** The `Origin` to send; programs other than browsers need none. */
  readonly origin?: string;
  /** Gives up connecting; once the session is open it has no effect. */
  readonly signal?: AbortSignal;
  /** For `wss:`: whom to trust, and who we are. */
  readonly tls?: TlsClientOptions;
  /**
   * A proxy to connect through: an `http:`, `https:`, `socks5:` or `socks5h:` URL, which may hold a
   * user name and a password; or `"env"` for what `http_proxy`, `https_proxy`, `all_proxy` and
   * `no_proxy`, in small letters or capitals, say of the host, as with curl. `HTTP_PROXY` is left out
   * under CGI. Deno needs `--allow-env` for that. `socks5:` resolves names on this side. `wss:`
   * through an `https:` proxy takes TLS within TLS, which only Node does: elsewhere a `TypeError`.
   * @default {none}
   */
  readonly proxy?: string | URL | ProxyOptions;
  /**
   * How many redirects (301, 302, 303, 307, 308) to follow; never from `wss:` to `ws:`. Another origin
   * gets neither `Authorization`, `Cookie` and `Proxy-…` fields nor `tls.cert`, and is verified by
   * its own name; `protocols`, `origin` and other fields it does get. @default {0}
   */
  readonly redirects?: number;
  /**
   * The path of a Unix socket to connect to, in place of a proxy; the URL then only names the host
   * and the target, and so do redirects.
   */
  readonly unix?: string;
  /**
   * Opens the WebSocket over HTTP/2 (RFC 8441): `true` dials a connection of its own, which is TLS for
   * `wss:` and prior knowledge of HTTP/2 for `ws:`. Or a connection to the URL's server that you have
   * made with `connect()` of `node:http2`, and end yourself: any number of sessions share it, and its
   * certificate is your concern; options `tls` and `redirects` don't go with it. Either excludes
   * `unix`, `proxy` and `conn`. @default {false: HTTP/1.1}
   */
  readonly http2?: boolean | Http2Session;
  /** A connection that is ready for the handshake, in place of `unix`, `proxy` and `redirects`. */
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
  "proxy",
  "redirects",
  "unix",
  "http2",
  "conn",
  "data",
  "handlers",
  "clock",
  "onError",
];

/**
 * Opens a WebSocket connection to a `ws:` or `wss:` URL (`http:` and `https:` mean the same).
 * Resolves when the session is open. A user name and a password in the URL are sent as
 * `Authorization: Basic`, unless option `headers` has such a field.
 *
 * Rejects with a `TypeError` or `RangeError` for wrong arguments; with a {@linkcode HandshakeError}
 * when the server refuses (its `status`, `headers` and the beginning of its `body`) or answers
 * wrongly, or when a proxy does, as the message then says; with a {@linkcode TimeoutError} after
 * `handshakeTimeout`, proxies and redirects included; with the signal's reason; and with the system's
 * error if the server or the proxy can't be reached.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 *
 * const session = await connect(`ws://127.0.0.1:${port}/`);
 * for await (const message of session) assertEquals(message, "hello");
 * assertEquals((await session.closed).code, 1000);
 * await server.shutdown();
 * ```
 */
export function connect<Data = unknown>(
  url: string | URL,
  options: ConnectOptions<Data> = {},
): Promise<WebSocketSession<Data>> {
  return connectWith(url, options, undefined);
}

/** Like {@linkcode connect}; what the session receives waits for what `opening` promises. */
export async function connectWith<Data>(
  url: string | URL,
  options: ConnectOptions<Data>,
  opening: (() => Promise<void>) | undefined,
): Promise<WebSocketSession<Data>> {
  const resolved = checkConnectOptions(options);
  const timers = options.clock === undefined ? sharedTimers : new Timers(options.clock);
  const leg = firstLeg(url, options);
  const attempt = new Attempt(resolved.handshakeTimeout, options.signal, timers);
  // Last, since it reserves room: what throws before this line would keep that for good.
  const offer = resolved.compress === false
    ? null
    : new CompressionOffer(resolved.compress, timers);
  try {
    const opened = await travel(
      leg,
      { ...options, extensions: offer?.extensions },
      resolved,
      attempt,
    );
    attempt.signal.throwIfAborted();
    return createSession(opened, offer, resolved, { ...options, opening }, timers);
  } catch (error) {
    offer?.close();
    attempt.fail();
    throw attempt.explain(error);
  } finally {
    attempt.end();
  }
}

/** A connection on which server and client have agreed. */
interface Opened {
  readonly conn: Conn;
  readonly head: RequestHead;
  readonly agreement: Agreement;
  readonly isSecure: boolean;
}

/** Goes where redirects lead, to the end. */
async function travel<Data>(
  first: Leg,
  options: ConnectOptions<Data> & { readonly extensions: string | undefined },
  { limits }: ResolvedSessionOptions,
  attempt: Attempt,
): Promise<Opened> {
  const redirects = new Redirects(options.redirects ?? 0);
  const { http2 = false } = options;
  const route = await Route.create(options, limits);
  for (let leg = first;;) {
    const reply: Reply = http2 === false
      ? await ask(leg, options, limits, () => route.open(leg, attempt))
      : await askByHttp2(http2, leg, options, attempt);
    const redirect = redirects.read(reply.response, leg);
    if (redirect === null || redirect.leg === null) {
      const { target: { isSecure } } = leg;
      return { ...await reply.open(redirect?.why), head: reply.head, isSecure };
    }
    reply.close();
    leg = redirect.leg;
  }
}

/** Fills in the defaults; throws a `TypeError` or `RangeError` for what can't be an option. */
export function checkConnectOptions<Data>(options: ConnectOptions<Data>): ResolvedSessionOptions {
  const resolved = resolveSessionOptions(options, OPTIONS);
  checkClock(options.clock);
  checkProtocols(options.protocols ?? []);
  readUserHeaders(options.headers, "Option headers");
  checkTls(options.tls);
  checkRedirects(options.redirects ?? 0);
  checkRoute(options);
  checkHttp2(options);
  return resolved;
}

function createSession<Data>(
  { conn, head, agreement: { protocol, extensions }, isSecure }: Opened,
  offer: CompressionOffer | null,
  options: ResolvedSessionOptions,
  { data, handlers, onError, opening }: ConnectOptions<Data> & {
    readonly opening: (() => Promise<void>) | undefined;
  },
  timers: Timers,
): WebSocketSession<Data> {
  return new WebSocketSession<Data>({
    plan: {
      role: "client",
      maskKey: nextMaskKey,
      options,
      timers,
      handlers,
      opening,
      onError: createReporter("WebSocket client", onError),
    },
    conn,
    request: createRequestInfo(head, isSecure),
    protocol,
    extensions: formatExtensions(extensions),
    compression: offer?.accept(extensions) ?? null,
    data: data as Data,
  });
}
