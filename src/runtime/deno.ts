/**
 * TCP, TLS and Unix sockets of Deno as {@linkcode Conn}s.
 *
 * `serve()` and `connect()` choose their runtime's adapter by themselves; it is here for programs
 * that want more of it, and give them what they get, as options `listener` and `conn`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { dial, listen, type TcpAddr } from "@twoway/websocket/deno";
 *
 * const listener = await listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = listener.addr as TcpAddr;
 * const client = await dial({ hostname: "127.0.0.1", port });
 * const server = await listener.accept();
 * await client.write(Uint8Array.of(1, 2, 3));
 * assertEquals([...(await server!.read())!], [1, 2, 3]);
 * for (const end of [client, server!, listener]) end.close();
 * ```
 *
 * @module
 */

import { systemError } from "./address.ts";
import type { Addr, Conn, DialOptions, Listener, ListenOptions } from "./conn.ts";
import { type DenoAddr, type DenoConn, DenoSocket, toAddr } from "./deno_socket.ts";

export type {
  Addr,
  Conn,
  ConnFlow,
  ConnSink,
  DialOptions,
  Listener,
  ListenOptions,
  TcpAddr,
  TlsClientOptions,
  TlsServerOptions,
  UnixAddr,
} from "./conn.ts";

// Only what is used, so that this file type-checks everywhere.
interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}
interface DenoNet {
  listen(options: object): DenoListener;
  listenTls(options: object): DenoListener;
  connect(options: object): Promise<DenoConn>;
  connectTls(options: object): Promise<DenoConn>;
  startTls(conn: DenoConn, options: object): Promise<DenoConn>;
  readonly env: { get(name: string): string | undefined };
}
const deno: DenoNet = (globalThis as unknown as { Deno: DenoNet }).Deno;

/**
 * Listens. Resolves when the address is bound; rejects when it can't be.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve } from "@twoway/websocket";
 * import { listen } from "@twoway/websocket/deno";
 *
 * const listener = await listen({ hostname: "127.0.0.1", port: 0 });
 * const server = await serve({ listener }, () => {});
 * assertEquals(server.addr, listener.addr);
 * await server.shutdown(); // and closes the listener
 * ```
 */
// deno-lint-ignore require-await -- Deno.listen() throws, and this rejects
export async function listen(options: ListenOptions): Promise<Listener> {
  const { hostname, port, unix, tls } = options;
  const address = unix === undefined ? { hostname, port } : { transport: "unix", path: unix };
  try {
    const listener = tls === undefined
      ? deno.listen(address)
      : deno.listenTls({ ...address, ...tls, alpnProtocols: ["http/1.1"] });
    return new DenoAcceptor(listener, tls !== undefined);
  } catch (error) {
    throw systemError("listen on", options, error);
  }
}

class DenoAcceptor implements Listener {
  readonly addr: Addr;
  readonly secure: boolean;
  readonly #listener: DenoListener;
  #isClosed = false;

  constructor(listener: DenoListener, secure: boolean) {
    this.#listener = listener;
    this.addr = toAddr(listener.addr);
    this.secure = secure;
  }

  // Not by iteration: that ends for good when the process runs out of file descriptors.
  async accept(): Promise<Conn | null> {
    if (this.#isClosed) return null;
    try {
      return new DenoSocket(await this.#listener.accept());
    } catch (error) {
      if (this.#isClosed) return null;
      if (isAborted(error)) return LEFT;
      throw error;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
  }
}

/**
 * A connection that was gone before it could be accepted. Whoever accepts must know of it: many of them in
 * a row take as much time as others.
 */
const LEFT: Conn = {
  remoteAddr: undefined,
  read: () => Promise.resolve(null),
  write: () => Promise.reject(new Error("The client has left")),
  closeWrite: () => Promise.reject(new Error("The client has left")),
  close: () => {},
};

/** What `accept()` says of a connection that was gone before; asking for its address fails, too. */
const GONE = ["ConnectionAborted", "ConnectionReset", "NotConnected"];

/** Whether a connection was gone before it could be accepted. */
function isAborted(error: unknown): boolean {
  return error instanceof Error && GONE.includes(error.name);
}

/**
 * Connects. Resolves with an open connection, TLS handshake included. Where a name has several
 * addresses, a dead one costs a moment.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type TcpAddr } from "@twoway/websocket";
 * import { dial } from "@twoway/websocket/deno";
 *
 * const server = await serve({ port: 0 }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 * const conn = await dial({ hostname: "127.0.0.1", port });
 * const session = await connect("ws://chat.example/", { conn });
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export async function dial(options: DialOptions): Promise<Conn> {
  const { hostname, port, unix, tls, signal } = options;
  signal?.throwIfAborted();
  checkTls(options);
  const address = unix === undefined ? { hostname, port } : { transport: "unix", path: unix };
  try {
    // Deno.startTls() takes no certificate of ours, Deno.connectTls() no name to verify.
    if (tls?.cert !== undefined) {
      const { caCerts, cert, key } = tls;
      const connecting = deno.connectTls({ ...address, caCerts, cert, key, ...ALPN });
      const conn = await closeLate(connecting, signal);
      return new DenoSocket(await handshake(conn, () => conn, signal));
    }
    const conn = await closeLate(deno.connect(address), signal);
    return new DenoSocket(tls === undefined ? conn : await secure(conn, options));
  } catch (error) {
    signal?.throwIfAborted();
    throw systemError("connect to", options, error);
  }
}

/**
 * Begins TLS, as options of {@linkcode dial} want it, on a connection from there that nobody reads
 * or writes at the moment; it is not to be used any more. Rejects with a `TypeError`
 * for one that is TLS already.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readFile } from "node:fs/promises";
 * import { connect, serve, type TcpAddr } from "@twoway/websocket";
 * import { dial, startTls } from "@twoway/websocket/deno";
 *
 * const [ca, cert, key] = await Promise.all(
 *   ["ca.pem", "cert.pem", "key.pem"].map((name) => readFile(name, "utf8")),
 * );
 * const server = await serve({ port: 0, tls: { cert, key } }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 * const address = { hostname: "127.0.0.1", port };
 * const plain = await dial(address); // in the open as long as that is wanted
 * const conn = await startTls(plain, { ...address, tls: { caCerts: [ca] } });
 * const session = await connect("wss://127.0.0.1/", { conn });
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export async function startTls(conn: Conn, options: DialOptions): Promise<Conn> {
  const { tls, signal } = options;
  signal?.throwIfAborted();
  checkTls(options);
  if (tls?.cert !== undefined) {
    throw new TypeError("Cannot use tls.cert: Deno shows it only to a host that is dialled");
  }
  if (!(conn instanceof DenoSocket)) throw new TypeError("The connection is not one from dial()");
  if (conn.isSecure) throw new TypeError("Cannot start TLS: Deno has no TLS within TLS");
  try {
    return new DenoSocket(await secure(conn.detach(), options));
  } catch (error) {
    signal?.throwIfAborted();
    throw systemError("connect to", options, error);
  }
}

/** Throws a `TypeError` for what Deno can't do. */
function checkTls({ hostname, unix, tls }: DialOptions): void {
  if (tls?.dangerouslyAcceptAnyCertificate) {
    throw new TypeError(
      "Cannot use tls.dangerouslyAcceptAnyCertificate: Deno verifies certificates unless it is " +
        "started with --unsafely-ignore-certificate-errors",
    );
  }
  const { cert, serverName = hostname } = tls ?? {};
  if (cert !== undefined && (serverName !== hostname || unix !== undefined)) {
    throw new TypeError(
      "Cannot use tls.cert with tls.serverName or a Unix socket: Deno shows it only to a host that " +
        "is dialled",
    );
  }
}

/** Waits for a connection no longer than the signal allows; one that comes later is closed. */
async function closeLate(
  connecting: Promise<DenoConn>,
  signal: AbortSignal | undefined,
): Promise<DenoConn> {
  if (signal === undefined) return await connecting;
  return await new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason);
      connecting.then((conn) => conn.close(), () => {});
    };
    signal.addEventListener("abort", abort, { once: true });
    connecting.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

const ALPN = { alpnProtocols: ["http/1.1"] };

function secure(conn: DenoConn, { hostname, tls, signal }: DialOptions): Promise<DenoConn> {
  const options = { hostname: tls?.serverName ?? hostname, caCerts: tls?.caCerts, ...ALPN };
  return handshake(conn, () => deno.startTls(conn, options), signal);
}

/** The TLS handshake on what `start` makes of `conn`; closes it if that fails. */
async function handshake(
  conn: DenoConn,
  start: () => DenoConn | Promise<DenoConn>,
  signal: AbortSignal | undefined,
): Promise<DenoConn> {
  let secured = conn;
  const abort = (): void => {
    try {
      secured.close();
    } catch {
      // It is closed, or TLS is about to take it over.
    }
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    secured = await start();
    signal?.throwIfAborted();
    await secured.handshake?.();
    return secured;
  } catch (error) {
    abort();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Environment variables by name. Rejects where they must not be read.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { readEnv } from "@twoway/websocket/deno";
 *
 * const { PATH, NOT_SET } = await readEnv(["PATH", "NOT_SET"]);
 * assert(PATH !== undefined && NOT_SET === undefined);
 * ```
 */
// deno-lint-ignore require-await -- Deno.env.get() throws, and this rejects
export async function readEnv(
  names: readonly string[],
): Promise<Record<string, string | undefined>> {
  try {
    return Object.fromEntries(names.map((name) => [name, deno.env.get(name)]));
  } catch (cause) {
    const flag = `--allow-env=${names.join(",")}`;
    throw new Error(`Cannot read the environment: Deno needs ${flag}`, { cause });
  }
}
