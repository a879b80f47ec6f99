/**
 * The byte level: what a transport must do so that a WebSocket can run over it. Only types and
 * {@linkcode prepend}; the adapters beside this file translate each runtime's sockets to it.
 *
 * @module
 */

/**
 * The address of one end of a TCP connection.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 *
 * const server = await serve({ port: 0 }, () => {}); // the system chooses the port
 * const { port } = server.addr as TcpAddr;
 * assert(port > 0);
 * await server.shutdown();
 * ```
 */
export interface TcpAddr {
  /** Tells TCP from Unix sockets. */
  readonly transport: "tcp";
  /** An IP address in text form; IPv6 without brackets. */
  readonly hostname: string;
  /** From 0 to 65535. */
  readonly port: number;
}

/**
 * The address of a Unix domain socket.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type UnixAddr } from "@twoway/websocket";
 *
 * const server = await serve({ unix: "./chat.sock" }, () => {});
 * const { path } = server.addr as UnixAddr;
 * assertEquals(path, "./chat.sock");
 * await server.shutdown();
 * ```
 */
export interface UnixAddr {
  /** Tells Unix sockets from TCP. */
  readonly transport: "unix";
  /** The path of the socket; empty for an unnamed peer. */
  readonly path: string;
}

/**
 * The address of one end of a connection.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Addr } from "@twoway/websocket";
 *
 * const format = (addr: Addr): string =>
 *   addr.transport === "tcp" ? `${addr.hostname} port ${addr.port}` : addr.path;
 * assertEquals(format({ transport: "tcp", hostname: "::1", port: 80 }), "::1 port 80");
 * ```
 */
export type Addr = TcpAddr | UnixAddr;

/**
 * Takes what a {@linkcode Conn} receives, as it comes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Conn, ConnSink } from "@twoway/websocket";
 * import { dial, listen } from "@twoway/websocket/node";
 *
 * function countBytes(conn: Conn): Promise<number> {
 *   let count = 0;
 *   return new Promise((resolve, reject) => {
 *     const sink: ConnSink = {
 *       data: (bytes) => (count += bytes.length) > 0, // true: more may come
 *       end: () => resolve(count),
 *       fail: reject,
 *     };
 *     conn.push?.(sink);
 *   });
 * }
 * const listener = await listen({ hostname: "127.0.0.1", port: 0 });
 * if (listener.addr.transport !== "tcp") throw new Error("Not a TCP address");
 * const [server, client] = await Promise.all([listener.accept(), dial(listener.addr)]);
 * await client.write(new Uint8Array(1000));
 * await client.closeWrite();
 * assertEquals(await countBytes(server!), 1000);
 * for (const end of [client, server!, listener]) end.close();
 * ```
 */
export interface ConnSink {
  /**
   * Bytes have arrived, at least one. Returns whether the sink is done with them and ready for more:
   * then their memory serves for others, or is gone, so nothing may use them any more, not even a
   * {@linkcode Conn.write} under way. If not, they stay the sink's, to read and to change, and nothing
   * comes until {@linkcode ConnFlow.resume}.
   */
  data(bytes: Uint8Array): boolean;
  /** The end of the stream: the peer's FIN, or our own {@linkcode Conn.close}. Nothing follows. */
  end(): void;
  /** The connection has broken. Nothing follows. */
  fail(error: unknown): void;
}

/**
 * Holds a {@linkcode Conn} back that gives its bytes to a {@linkcode ConnSink}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { ConnFlow, ConnSink } from "@twoway/websocket";
 *
 * // What a Conn of your own may do: one byte at a time, and no more before the sink asks for it.
 * function pushBytes(bytes: number[], sink: ConnSink): ConnFlow {
 *   const resume = (): void => {
 *     while (bytes.length > 0) if (!sink.data(Uint8Array.of(bytes.shift()!))) return;
 *     sink.end();
 *   };
 *   resume();
 *   return { resume };
 * }
 * const received: number[] = [];
 * const data = ([byte]: Uint8Array): boolean => received.push(byte) < 2; // two, then a pause
 * const flow = pushBytes([1, 2, 3], { data, end: () => {}, fail: () => {} });
 * assertEquals(received, [1, 2]);
 * flow.resume();
 * assertEquals(received, [1, 2, 3]);
 * ```
 */
export interface ConnFlow {
  /** The sink is ready for more. It may be called from here. */
  resume(): void;
}

/**
 * A full-duplex byte stream: TCP, TLS, a Unix socket, an upgraded HTTP socket, memory.
 *
 * One reader and one writer: the caller waits for one `read()` before the next, and for one
 * `write()` before the next. A read and a write may be under way at the same time.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Conn } from "@twoway/websocket";
 * import { memoryPair } from "@twoway/websocket/testing";
 *
 * async function echo(conn: Conn): Promise<void> {
 *   for (let bytes = await conn.read(); bytes !== null; bytes = await conn.read()) {
 *     await conn.write(bytes);
 *   }
 *   await conn.closeWrite();
 * }
 * const [client, server] = memoryPair();
 * const echoed = echo(server);
 * await client.write(Uint8Array.of(1, 2, 3));
 * assertEquals([...(await client.read())!], [1, 2, 3]);
 * await client.closeWrite();
 * await echoed;
 * ```
 */
export interface Conn {
  /** The peer's address, where the transport knows one. */
  readonly remoteAddr?: Addr;

  /**
   * The next bytes received, at least one, or `null` at the end of the stream (the peer's FIN, or
   * our own {@linkcode Conn.close}). Rejects when the connection breaks (reset, TLS failure).
   * The bytes are valid until the next `read()`, and the caller's to change until then.
   */
  read(): Promise<Uint8Array | null>;

  /**
   * Optional, and faster: from now on everything received goes to `sink`, and `read()`, of which none
   * is under way, is not called again. The sink may be called before this returns.
   */
  push?(sink: ConnSink): ConnFlow;

  /**
   * Resolves when the transport has taken all of `bytes`: this is the backpressure. Rejects when
   * the connection is closed or breaks. The caller leaves `bytes` unchanged until then. Where the
   * transport has taken them at once there may be nothing to wait for.
   */
  write(bytes: Uint8Array): Promise<void> | void;

  /** Sends FIN after everything written; reading goes on. Rejects if the connection has broken. */
  closeWrite(): Promise<void>;

  /**
   * Ends both directions at once: a pending `read()` resolves with `null`, a pending `write()`
   * rejects. Idempotent; never throws.
   */
  close(): void;
}

/**
 * A source of incoming {@linkcode Conn}s.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, type Listener, serve } from "@twoway/websocket";
 * import { MemoryListener } from "@twoway/websocket/testing";
 *
 * const memory = new MemoryListener();
 * let count = 0;
 * const counting: Listener = {
 *   addr: memory.addr,
 *   secure: memory.secure,
 *   accept: () => memory.accept().finally(() => count++),
 *   close: () => memory.close(),
 * };
 * const server = await serve({ listener: counting }, () => {});
 * const session = await connect("ws://test/", { conn: memory.connect() });
 * assertEquals(count, 1);
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface Listener {
  /** The address bound, with the real port where port 0 was asked for. */
  readonly addr: Addr;
  /** Whether the connections are encrypted by TLS. */
  readonly secure: boolean;

  /**
   * The next connection, as soon as TCP has accepted it: a TLS handshake has not happened yet, and
   * its failure rejects the connection's first `read()`. `null` once the listener is closed.
   * Rejects when accepting failed for a reason that may pass (no file descriptors left): the
   * caller waits a moment and calls again.
   */
  accept(): Promise<Conn | null>;

  /** Stops listening; connections already accepted stay open. Idempotent; never throws. */
  close(): void;
}

/**
 * The server's side of TLS: PEM texts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readFile } from "node:fs/promises";
 * import { connect, serve, type TcpAddr, type TlsServerOptions } from "@twoway/websocket";
 *
 * const tls: TlsServerOptions = {
 *   cert: await readFile("cert.pem", "utf8"),
 *   key: await readFile("key.pem", "utf8"),
 * };
 * const server = await serve({ port: 0, tls }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 *
 * const caCerts = [await readFile("ca.pem", "utf8")]; // unless everybody trusts it
 * const session = await connect(`wss://127.0.0.1:${port}/`, { tls: { caCerts } });
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface TlsServerOptions {
  /** The certificate chain, PEM. */
  readonly cert: string;
  /** The private key, PEM. */
  readonly key: string;
}

/**
 * The client's side of TLS: PEM texts. Certificates are verified.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readFile } from "node:fs/promises";
 * import { connect, serve, type TcpAddr, type TlsClientOptions } from "@twoway/websocket";
 *
 * const [ca, cert, key] = await Promise.all(
 *   ["ca.pem", "cert.pem", "key.pem"].map((name) => readFile(name, "utf8")),
 * );
 * const server = await serve({ port: 0, tls: { cert, key } }, (session) => session.send("hello"));
 * const { port } = server.addr as TcpAddr;
 *
 * const tls: TlsClientOptions = { caCerts: [ca], serverName: "localhost" };
 * const session = await connect(`wss://127.0.0.1:${port}/`, { tls });
 * assertEquals(await session.receive(), "hello");
 * await session.close();
 * await server.shutdown();
 * ```
 */
export interface TlsClientOptions {
  /** Additional certificate authorities to trust. */
  readonly caCerts?: readonly string[];
  /** The name that the certificate must carry. @default {the hostname dialled} */
  readonly serverName?: string;
  /**
   * Our own certificate chain, for servers that ask for one. Deno can show it only to the host that
   * is dialled: through a proxy, over a Unix socket and with `serverName` it is a `TypeError` there.
   */
  readonly cert?: string;
  /** The private key of `cert`. */
  readonly key?: string;
  /**
   * Turns verification off: anybody in between can then read and change everything. Deno has no such
   * thing but its flag `--unsafely-ignore-certificate-errors`: a `TypeError` there. @default {false}
   */
  readonly dangerouslyAcceptAnyCertificate?: boolean;
}

/**
 * Where to listen: a TCP address or a Unix socket.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { listen, type ListenOptions } from "@twoway/websocket/node";
 *
 * const options: ListenOptions = { hostname: "127.0.0.1", port: 0 };
 * const listener = await listen(options);
 * assertEquals(listener.addr.transport, "tcp");
 * listener.close();
 * ```
 */
export interface ListenOptions {
  /** The name or IP address to bind. */
  readonly hostname?: string;
  /** The port; 0 lets the system choose one. */
  readonly port?: number;
  /** The path of a Unix socket, in place of hostname and port. */
  readonly unix?: string;
  /** Makes the connections TLS. */
  readonly tls?: TlsServerOptions;
}

/**
 * Where to connect: a TCP address or a Unix socket.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, type TcpAddr } from "@twoway/websocket";
 * import { dial, type DialOptions } from "@twoway/websocket/node";
 *
 * const server = await serve({ port: 0 }, () => {});
 * const { port } = server.addr as TcpAddr;
 * const options: DialOptions = { hostname: "127.0.0.1", port, signal: AbortSignal.timeout(5000) };
 * const conn = await dial(options);
 * assertEquals(conn.remoteAddr, server.addr);
 * conn.close();
 * await server.shutdown();
 * ```
 */
export interface DialOptions {
  /** The name or IP address of the server. */
  readonly hostname?: string;
  /** The port of the server. */
  readonly port?: number;
  /** The path of a Unix socket, in place of hostname and port. */
  readonly unix?: string;
  /** Makes the connection TLS. */
  readonly tls?: TlsClientOptions;
  /** Gives up dialling (TCP and TLS) with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What each adapter module (`deno.ts`, `bun.ts`, `node.ts`) exports. */
export interface Runtime {
  /** Resolves when the address is bound; rejects when it can't be. */
  listen(options: ListenOptions): Promise<Listener>;
  /**
   * Resolves with an open connection, TLS handshake included. Where a name has several addresses, a
   * dead one costs a moment: each runtime tries them side by side, or one soon after the other.
   */
  dial(options: DialOptions): Promise<Conn>;
  /**
   * Begins TLS, as options of {@linkcode Runtime.dial} want it, on a connection from there that
   * nobody reads or writes at the moment; it is not to be used any more. Rejects with a `TypeError`
   * for one that is TLS already, where TLS within TLS can't be.
   */
  startTls(conn: Conn, options: DialOptions): Promise<Conn>;
  /** Environment variables by name. Rejects where they must not be read. */
  readEnv(names: readonly string[]): Promise<Record<string, string | undefined>>;
}

/**
 * A connection that first reads `early` and then what `conn` reads: puts back what arrived too early
 * (behind the request, or `node:http`'s `head`), or a read that is under way already.
 */
export function prepend(conn: Conn, early: Uint8Array | Promise<Uint8Array | null>): Conn {
  if (early instanceof Promise) return new PrependedConn(conn, early);
  return early.length === 0 ? conn : new PrependedConn(conn, Promise.resolve(early));
}

class PrependedConn implements Conn {
  readonly #conn: Conn;
  #early: Promise<Uint8Array | null> | null;
  readonly push?: (sink: ConnSink) => ConnFlow;

  constructor(conn: Conn, early: Promise<Uint8Array | null>) {
    this.#conn = conn;
    this.#early = early;
    if (conn.push !== undefined) this.push = (sink) => this.#push(sink);
  }

  get remoteAddr(): Addr | undefined {
    return this.#conn.remoteAddr;
  }

  read(): Promise<Uint8Array | null> {
    const early = this.#early;
    this.#early = null;
    return early ?? this.#conn.read();
  }

  #push(sink: ConnSink): ConnFlow {
    if (this.#early === null) return this.#conn.push!(sink);
    let flow: ConnFlow | null = null;
    const goOn = (): void => {
      if (flow === null) flow = this.#conn.push!(sink);
      else flow.resume();
    };
    this.read().then((bytes) => {
      if (bytes === null) sink.end();
      else if (sink.data(bytes)) goOn();
    }, (error) => sink.fail(error));
    return { resume: goOn };
  }

  write(bytes: Uint8Array): Promise<void> | void {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#early = null;
    this.#conn.close();
  }
}
