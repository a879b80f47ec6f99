/**
 * TCP, TLS and Unix sockets of Bun as {@linkcode Conn}s.
 *
 * `serve()` and `connect()` choose their runtime's adapter by themselves; it is here for programs
 * that want more of it, and give them what they get, as options `listener` and `conn`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { dial, listen, type TcpAddr } from "@twoway/websocket/bun";
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

import { AcceptQueue } from "./accept_queue.ts";
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
import { Inflow } from "./inflow.ts";

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
interface Socket {
  data: BunSocket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  write(bytes: Uint8Array, offset: number, length: number): number;
  shutdown(): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): void;
  getCipher(): { readonly name: string | null };
  upgradeTLS(options: object): [raw: Socket, secured: Socket];
}
interface SocketHandlers {
  open(socket: Socket): void;
  data(socket: Socket, bytes: Uint8Array): void;
  drain(socket: Socket): void;
  end(socket: Socket): void;
  close(socket: Socket, error?: Error): void;
  error(socket: Socket, error: Error): void;
  handshake?(socket: Socket, success: boolean, error: Error | null): void;
  connectError?(socket: Socket, error: Error): void;
}
interface BunNet {
  listen(options: object): { readonly hostname: string; readonly port: number; stop(): void };
  connect(options: object): Promise<Socket>;
  readonly env: Readonly<Record<string, string | undefined>>;
}
const bun: BunNet = (globalThis as unknown as { Bun: BunNet }).Bun;

/** The protocol that TLS agrees on (ALPN), as on the wire: Bun sends a name without its length as it is. */
const HTTP_1_1 = "\x08http/1.1";

/** A write that the system has taken only part of. */
interface PendingWrite {
  readonly bytes: Uint8Array;
  at: number;
  resolve(): void;
  reject(error: Error): void;
}

class BunSocket implements Conn {
  readonly remoteAddr: Addr;
  readonly #socket: Socket;
  readonly #inflow: Inflow;
  readonly isSecure: boolean;
  #write: PendingWrite | null = null;
  #error: Error | null = null;
  #isClosed = false;

  constructor(socket: Socket, isUnix: boolean, isSecure: boolean) {
    this.#socket = socket;
    this.isSecure = isSecure;
    this.#inflow = new Inflow(socket);
    this.remoteAddr = isUnix
      ? { transport: "unix", path: "" }
      : { transport: "tcp", hostname: socket.remoteAddress, port: socket.remotePort };
    if (!isUnix) socket.setNoDelay(true);
  }

  read(): Promise<Uint8Array | null> {
    return this.#inflow.read();
  }

  push(sink: ConnSink): ConnFlow {
    return this.#inflow.push(sink);
  }

  // Bun writes what it can and says how much that was; `drain` tells when to go on.
  write(bytes: Uint8Array): Promise<void> | void {
    if (this.#isClosed) return Promise.reject(this.#brokenError());
    const count = this.#socket.write(bytes, 0, bytes.length);
    if (count === bytes.length) return;
    if (count < 0) return Promise.reject(this.#brokenError());
    return new Promise((resolve, reject) => {
      this.#write = { bytes, at: count, resolve, reject };
    });
  }

  tryWrite(bytes: Uint8Array): number {
    return this.#isClosed ? 0 : Math.max(0, this.#socket.write(bytes, 0, bytes.length));
  }

  drain(): void {
    const write = this.#write;
    if (write === null) return;
    if (this.#isClosed) return this.#failWrite();
    const left = write.bytes.length - write.at;
    const count = this.#socket.write(write.bytes, write.at, left);
    if (count < 0) return this.#failWrite();
    write.at += count;
    if (count < left) return;
    this.#write = null;
    write.resolve();
  }

  closeWrite(): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.#brokenError());
    this.#socket.shutdown();
    return Promise.resolve();
  }

  close(): void {
    this.#inflow.close();
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
    this.#failWrite();
  }

  // terminate() drops what the system has yet to send, and resets what both sides have ended in good
  // order. With TLS it has to be, behind FIN: there close() waits for a peer that does not read.
  #release(): void {
    if (!this.isSecure) return this.#socket.close();
    this.#socket.shutdown();
    this.#socket.terminate();
  }

  /** Hands over the socket, which nobody reads or writes at the moment. */
  detach(): Socket {
    this.#isClosed = true;
    this.#inflow.close(); // what is encrypted goes on coming here, too
    return this.#socket;
  }

  receive(bytes: Uint8Array): void {
    this.#inflow.receive(bytes);
  }

  endOfStream(): void {
    this.#inflow.end();
  }

  /** The connection is gone; without an error that is the end of a stream like any other. */
  closed(error?: Error): void {
    this.#isClosed = true;
    this.#error ??= error ?? null;
    this.#inflow.end(this.#error ?? undefined);
    this.#failWrite();
  }

  fail(error: Error): void {
    this.#error ??= error;
  }

  #failWrite(): void {
    const write = this.#write;
    this.#write = null;
    write?.reject(this.#brokenError());
  }

  #brokenError(): Error {
    return this.#error ?? new Error("The connection is closed");
  }
}

/** Events of an established socket go to its {@linkcode BunSocket}. */
const EVENTS = {
  data: (socket: Socket, bytes: Uint8Array): void => socket.data.receive(bytes),
  drain: (socket: Socket): void => socket.data.drain(),
  end: (socket: Socket): void => socket.data.endOfStream(),
  close: (socket: Socket, error?: Error): void => socket.data.closed(error),
  error: (socket: Socket, error: Error): void => socket.data.fail(error),
};

/**
 * Listens. Resolves when the address is bound; rejects when it can't be.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve } from "@twoway/websocket";
 * import { listen } from "@twoway/websocket/bun";
 *
 * const listener = await listen({ hostname: "127.0.0.1", port: 0 });
 * const server = await serve({ listener }, () => {});
 * assertEquals(server.addr, listener.addr);
 * await server.shutdown(); // and closes the listener
 * ```
 */
// deno-lint-ignore require-await -- Bun.listen() throws, and this rejects
export async function listen(options: ListenOptions): Promise<Listener> {
  const { hostname, port, unix, tls } = options;
  const queue = new AcceptQueue();
  const socket: SocketHandlers = {
    ...EVENTS,
    open(socket) {
      socket.data = new BunSocket(socket, unix !== undefined, tls !== undefined);
      queue.push(socket.data);
    },
  };
  if (tls !== undefined) {
    socket.handshake = (socket, success, error) => {
      if (!success) socket.data.fail(error ?? new Error("The TLS handshake failed"));
    };
  }
  try {
    const server = bun.listen({
      ...(unix === undefined ? { hostname, port } : { unix }),
      tls: tls && { ...tls, ALPNProtocols: HTTP_1_1 },
      allowHalfOpen: true,
      socket,
    });
    const addr: Addr = unix === undefined
      ? { transport: "tcp", hostname: server.hostname, port: server.port }
      : { transport: "unix", path: unix };
    return {
      addr,
      secure: tls !== undefined,
      accept: () => queue.accept(),
      close: () => void (queue.close() && server.stop()),
    };
  } catch (error) {
    throw systemError("listen on", options, error);
  }
}

/**
 * Connects. Resolves with an open connection, TLS handshake included. Where a name has several
 * addresses, a dead one costs a moment.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve, type TcpAddr } from "@twoway/websocket";
 * import { dial } from "@twoway/websocket/bun";
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
export function dial(options: DialOptions): Promise<Conn> {
  const { hostname, port, unix, tls } = options;
  return establish(options, (socket, fail) => {
    bun.connect({
      ...(unix === undefined ? { hostname, port } : { unix }),
      tls: tls && clientTls(options),
      allowHalfOpen: true,
      socket,
    }).catch(fail);
  });
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
 * import { dial, startTls } from "@twoway/websocket/bun";
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
export function startTls(conn: Conn, options: DialOptions): Promise<Conn> {
  return establish(options, (socket) => {
    if (!(conn instanceof BunSocket)) throw new TypeError("The connection is not one from dial()");
    if (conn.isSecure) throw new TypeError("Cannot start TLS: Bun has no TLS within TLS");
    const [, secured] = conn.detach().upgradeTLS({ tls: clientTls(options), socket });
    return secured;
  });
}

/** Waits for a socket to be connected, TLS handshake included; `start` returns one that is there. */
function establish(
  { tls, unix, signal, ...where }: DialOptions,
  start: (handlers: SocketHandlers, fail: (error: unknown) => void) => Socket | void,
): Promise<Conn> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let dialled: Socket | null = null;
    const abort = (): void => {
      reject(signal!.reason);
      dialled?.terminate();
    };
    const settle = (): void => signal?.removeEventListener("abort", abort);
    const fail = (error: unknown): void => {
      settle();
      reject(systemError("connect to", { ...where, unix }, error));
    };
    const ready = (socket: Socket): void => {
      settle();
      resolve(socket.data);
    };
    signal?.addEventListener("abort", abort, { once: true });
    const adopt = (socket: Socket): void => {
      if (dialled === socket) return;
      dialled = socket;
      socket.data = new BunSocket(socket, unix !== undefined, tls !== undefined);
    };
    const handlers: SocketHandlers = {
      ...EVENTS,
      open(socket) {
        adopt(socket);
        if (signal?.aborted) socket.terminate();
        else if (tls === undefined) ready(socket);
      },
      close(socket, error) {
        socket.data.closed(error);
        fail(error ?? new Error("the peer closed the connection"));
      },
      connectError: (_, error) => fail(error),
    };
    if (tls !== undefined) {
      handlers.handshake = (socket, success, error) => {
        // Bun also calls a handshake failed whose certificate is wrong.
        const isReady = tls.dangerouslyAcceptAnyCertificate
          ? socket.getCipher().name !== null
          : success && error === null;
        if (isReady) return ready(socket);
        fail(error ?? new Error("The TLS handshake failed"));
        socket.terminate();
      };
    }
    const upgraded = start(handlers, fail);
    if (upgraded) adopt(upgraded);
  });
}

function clientTls({ hostname, tls }: DialOptions): object {
  return {
    ca: tls?.caCerts,
    cert: tls?.cert,
    key: tls?.key,
    serverName: tls?.serverName ?? hostname,
    ALPNProtocols: HTTP_1_1,
    rejectUnauthorized: !tls?.dangerouslyAcceptAnyCertificate,
  };
}

/**
 * Environment variables by name.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { readEnv } from "@twoway/websocket/bun";
 *
 * const { PATH, NOT_SET } = await readEnv(["PATH", "NOT_SET"]);
 * assert(PATH !== undefined && NOT_SET === undefined);
 * ```
 */
export function readEnv(names: readonly string[]): Promise<Record<string, string | undefined>> {
  return Promise.resolve(Object.fromEntries(names.map((name) => [name, bun.env[name]])));
}
