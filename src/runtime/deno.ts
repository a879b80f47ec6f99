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
import type {
  Addr,
  Conn,
  ConnFlow,
  ConnSink,
  DialOptions,
  Listener,
  ListenOptions,
} from "./conn.ts";
import { free } from "./free.ts";

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
interface DenoAddr {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
}
interface DenoConn {
  readonly remoteAddr: DenoAddr;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  handshake?(): Promise<unknown>;
}
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

/** A waiting read pins its buffer, so an idle connection gets a small one. */
const SMALL = 512;

/** As long as reads fill their buffer, the next one gets four times as much, up to this. */
const LARGE = 262_144;

/** What all buffers may have above {@linkcode SMALL}. */
const MAX_LARGE_BYTES = 16_777_216;

/** Nobody gets more than this part of what is left, so that the last ones still get something. */
const LARGEST_PART = 1 / 16;

let largeBytes = 0;

/**
 * With so much in use, who has read all that was there goes back to {@linkcode SMALL} at once, the first
 * time: most are idle then, and would pin their buffers, and when thousands do, a busy one has to read 64
 * KiB by 512 bytes. Who then gets a long buffer again is busy, and keeps it.
 */
const SCARCE_FROM = MAX_LARGE_BYTES / 4;

/** With so much in use, everybody goes back. */
const RARE_FROM = 3 * SCARCE_FROM;

/** Else so many reads in a row must be small before the next one gets a shorter buffer. */
const PATIENCE = 8;

const NOTHING = new Uint8Array(0);

class DenoSocket implements Conn, ConnFlow {
  readonly remoteAddr: Addr;
  readonly isSecure: boolean;
  readonly #conn: DenoConn;
  #buffer: Uint8Array = new Uint8Array(SMALL);
  /** Bytes that the last read brought. */
  #filled = 0;
  /** How many reads in a row could have done with a shorter buffer. */
  #smallReads = 0;
  /** It had a long buffer, and went back for others. */
  #hasGivenUp = false;
  /** The sink was not done with the last read at once: others may work on it even now. */
  #wasHeld = false;
  #isClosed = false;
  #sink: ConnSink | null = null;

  constructor(conn: DenoConn) {
    this.#conn = conn;
    this.isSecure = conn.handshake !== undefined;
    this.remoteAddr = toAddr(conn.remoteAddr);
    try {
      conn.setNoDelay?.(true);
    } catch {
      // Fails when the process is out of file descriptors; the connection works all the same.
    }
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#isClosed) return null;
    this.#resize();
    try {
      const count = await this.#conn.read(this.#buffer);
      if (count === null) return null;
      this.#filled = count;
      return this.#buffer.subarray(0, count);
    } catch (error) {
      if (this.#isClosed) return null;
      throw error;
    }
  }

  push(sink: ConnSink): this {
    this.#sink = sink;
    this.resume();
    return this;
  }

  resume(): void {
    if (this.#isClosed) return this.#sink!.end();
    this.#resize();
    this.#conn.read(this.#buffer).then(this.#received, this.#failed);
  }

  // Made once: a read costs one promise and no closure.
  readonly #received = (count: number | null): void => {
    if (count === null || this.#isClosed) return this.#sink!.end();
    this.#filled = count;
    const isDone = this.#sink!.data(this.#buffer.subarray(0, count));
    this.#wasHeld = !isDone;
    if (isDone) this.resume();
  };

  readonly #failed = (error: unknown): void => {
    if (this.#isClosed) this.#sink!.end();
    else this.#sink!.fail(error);
  };

  write(bytes: Uint8Array): Promise<void> {
    // Deno.Conn.write() may write only part of its argument.
    return this.#conn.write(bytes).then((count) =>
      count < bytes.length ? this.write(bytes.subarray(count)) : undefined
    );
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    try {
      this.#conn.close();
    } catch {
      // A connection that has been reset is closed already: BadResource.
    }
  }

  /** Hands over Deno's own connection; this one is as good as closed. */
  detach(): DenoConn {
    this.#isClosed = true;
    this.#release();
    return this.#conn;
  }

  #resize(): void {
    const { length } = this.#buffer;
    if (this.#filled === length) return this.#useBuffer(Math.min(length * 4, LARGE));
    if (length === SMALL) return;
    if (largeBytes >= (this.#hasGivenUp ? RARE_FROM : SCARCE_FROM)) {
      this.#hasGivenUp = true;
      return this.#useBuffer(SMALL);
    }
    if (this.#filled >= length / 8) this.#smallReads = 0;
    else if (++this.#smallReads >= PATIENCE) this.#useBuffer(Math.max(length / 4, SMALL));
  }

  #useBuffer(size: number): void {
    const { length } = this.#buffer;
    const more = size - length;
    this.#smallReads = 0;
    if (more === 0 || more > (MAX_LARGE_BYTES - largeBytes) * LARGEST_PART) return;
    const old = this.#buffer;
    this.#buffer = new Uint8Array(size);
    largeBytes += more;
    if (!this.#wasHeld) free(old);
  }

  /** Nothing will be read any more. */
  #release(): void {
    largeBytes -= Math.max(0, this.#buffer.length - SMALL);
    this.#buffer = NOTHING;
  }
}

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
  const abort = (): void => secured.close();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    secured = await start();
    await secured.handshake?.();
    return secured;
  } catch (error) {
    try {
      secured.close();
    } catch {
      // The failed handshake, or the abort, has closed it.
    }
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

function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix"
    ? { transport: "unix", path: addr.path ?? "" }
    : Object.freeze(addr) as Addr; // Deno's own
}
