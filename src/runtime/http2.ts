/**
 * HTTP/2 connections of a client, through `node:http2`, which all three runtimes have. Loaded only by
 * programs that use it.
 *
 * @module
 */

import http2 from "node:http2";
import { systemError } from "./address.ts";
import type { DialOptions } from "./conn.ts";
import { guardSession, guardStream } from "./deno_http2.ts";
import type { Http2Answer, Http2Client, Http2Field, Http2Session } from "./http2_client.ts";
import { Http2Conn, toFields, toHeaders } from "./http2_stream.ts";
import { clientTls } from "./node_peer.ts";

type Socket = http2.ClientHttp2Session["socket"];

/** What a server gets to close a connection that is over, in ms; `node:http2` waits for it without end. */
const LINGER = 1000;

/** See {@linkcode Http2Client}. */
class NodeHttp2Client implements Http2Client {
  readonly #session: http2.ClientHttp2Session;
  /** What it goes over, if it is ours; `null` where others share it. */
  readonly #socket: Socket | null;

  constructor(session: http2.ClientHttp2Session, socket: Socket | null) {
    this.#session = session;
    this.#socket = socket;
  }

  get isSecure(): boolean {
    return this.#session.encrypted ?? false;
  }

  async canConnect(signal: AbortSignal): Promise<boolean> {
    const isEnabled = (): boolean => this.#session.remoteSettings?.enableConnectProtocol ?? false;
    if (!isEnabled()) await unlessAborted(settingsArrived(this.#session), signal);
    return isEnabled();
  }

  request(fields: Iterable<Http2Field>, signal: AbortSignal): Promise<Http2Answer> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const stream = this.#session.request(toHeaders(fields), { endStream: false });
      guardStream(stream); // before there is an answer, too
      if (this.#socket !== null) stream.once("close", () => this.close());
      let failure = new Error("The HTTP/2 stream was closed without an answer");
      // It stays: without a listener a reset would end the process.
      stream.on("error", (error: Error) => failure = error);
      const done = (): void => {
        signal.removeEventListener("abort", abort);
        stream.off("close", closed);
      };
      const abort = (): void => {
        done();
        stream.close(http2.constants.NGHTTP2_CANCEL);
        reject(signal.reason);
      };
      const closed = (): void => {
        done();
        reject(failure);
      };
      signal.addEventListener("abort", abort, { once: true });
      stream.once("close", closed);
      stream.once("response", (_headers: unknown, _flags: unknown, raw: string[]) => {
        done();
        resolve({ fields: toFields(raw), conn: new Http2Conn(stream) });
      });
    });
  }

  close(): void {
    if (this.#socket !== null) endSession(this.#session, this.#socket);
  }
}

/** Ends a connection in good order, and then in any case. */
function endSession(session: http2.ClientHttp2Session, socket: Socket): void {
  session.close();
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once("close", () => clearTimeout(timer));
}

/** Each connection is asked once, however many sessions want to know. */
const arrivals = new WeakMap<http2.ClientHttp2Session, Promise<void>>();

function settingsArrived(session: http2.ClientHttp2Session): Promise<void> {
  let arrival = arrivals.get(session);
  if (arrival === undefined) {
    arrival = new Promise((resolve, reject) => {
      const closed = (): void => reject(new Error("The HTTP/2 connection is closed"));
      // It stays: without a listener a reset would end the process.
      session.on("error", reject);
      if (session.destroyed) return closed();
      session.once("close", closed).once("remoteSettings", () => resolve());
      // They come before everything else, perhaps long ago: the answer to this comes behind them.
      const ping = (): void => {
        if (session.destroyed) return closed(); // its owner was faster than the event
        session.ping((error) => error ? reject(error) : resolve());
      };
      if (session.connecting) session.once("connect", ping);
      else ping();
    });
    arrivals.set(session, arrival);
  }
  return arrival;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    // Also of an abort that came before: the promise may reject later, and nobody else knows it.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Requests over a connection that somebody else has made, and ends. */
export function shareHttp2(session: Http2Session): Http2Client {
  guardSession(session as http2.ClientHttp2Session);
  return new NodeHttp2Client(session as http2.ClientHttp2Session, null);
}

/**
 * A connection for one stream; it ends with that. Resolves when it is connected, TLS handshake
 * included. Without TLS the server is taken to speak HTTP/2 (RFC 9113 section 3.3).
 */
export async function dialHttp2(options: DialOptions): Promise<Http2Client> {
  const { tls, signal } = options;
  signal?.throwIfAborted();
  const session = startSession(options);
  const connected = whenConnected(session);
  try {
    const socket = await (signal === undefined ? connected : unlessAborted(connected, signal));
    const protocol = session.alpnProtocol;
    if (tls === undefined || protocol === "h2") return new NodeHttp2Client(session, socket);
    endSession(session, socket);
    throw new Error(`the server does not speak HTTP/2 (ALPN: ${protocol || "none"})`);
  } catch (error) {
    session.destroy();
    throw signal?.aborted ? signal.reason : systemError("connect to", options, error);
  }
}

/** Begins to connect. */
function startSession(options: DialOptions): http2.ClientHttp2Session {
  const { hostname, port, tls } = options;
  const host = hostname?.includes(":") ? `[${hostname}]` : hostname;
  // Deno makes a URL of the empty server name that an IP address has.
  const { servername, ...secure } = clientTls(options, "h2");
  const settings = { enablePush: false }; // nobody would read what is pushed
  const session = tls === undefined
    ? http2.connect(`http://${host}:${port}`, { settings })
    : http2.connect(`https://${host}:${port}`, {
      ...secure,
      ...(servername === "" ? null : { servername }),
      settings,
    });
  guardSession(session);
  return session;
}

/** Resolves with the socket when connected, TLS handshake included; rejects if that fails. */
function whenConnected(session: http2.ClientHttp2Session): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error("the connection was closed"));
    session.once("close", closed);
    // It stays: without a listener a reset would end the process; each stream tells its own owner.
    session.on("error", reject);
    session.once("connect", (_session, socket) => {
      session.off("close", closed);
      resolve(socket as Socket);
    });
  });
}
