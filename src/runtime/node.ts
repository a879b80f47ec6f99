/**
 * TCP, TLS and Unix sockets of `node:net` and `node:tls` as {@linkcode Conn}s.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import net from "node:net";
import process from "node:process";
import type { Duplex } from "node:stream";
import tls from "node:tls";
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
import { free } from "./free.ts";
import { Inflow } from "./inflow.ts";
import { clientTls, remoteAddr } from "./node_socket.ts";

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

const NOTHING = new Uint8Array(0);

const CONN = Symbol("conn");

/** A socket that knows its Conn: listeners that all sockets share cost none of them a closure. */
interface OwnedSocket extends net.Socket {
  [CONN]: NodeSocket;
}

interface SocketTraits {
  /** Writes of nothing are possible, to be told when what was before them has left. @default {true} */
  readonly hasMarks?: boolean;
  /** Nobody else reads from the socket, or ever has: what it has read is ours alone. @default {true} */
  readonly isOurs?: boolean;
}

/** A Conn over a socket of `node:net` or `node:tls`, which nobody else writes. */
export class NodeSocket implements Conn {
  readonly remoteAddr: Addr;
  readonly #socket: net.Socket;
  readonly #inflow: Inflow;
  /** Why the connection broke. */
  #error: Error | undefined;
  #rejectWrite: ((error: Error) => void) | null = null;
  readonly #hasMarks: boolean;

  /** Takes over a socket that is connected. */
  constructor(socket: net.Socket, { hasMarks = true, isOurs = true }: SocketTraits = {}) {
    this.#hasMarks = hasMarks;
    this.#socket = socket;
    this.remoteAddr = remoteAddr(socket);
    this.#inflow = new Inflow(socket, isOurs && isNode ? free : null);
    socket.setNoDelay?.(true); // a Duplex that is no socket of the system's has none
    (socket as OwnedSocket)[CONN] = this;
    socket.on("data", NodeSocket.#onData);
    socket.on("end", NodeSocket.#onEnd);
    // Without a listener a reset would end the process.
    socket.on("error", NodeSocket.#onError);
    socket.on("close", NodeSocket.#onClose);
    if (socket.destroyed) this.#closed(); // too late for the event
  }

  /** Takes over a socket that an HTTP server has had, with whatever that has set. */
  static adopt(stream: Duplex): NodeSocket {
    const socket = stream as tls.TLSSocket;
    socket.setTimeout?.(0);
    socket.allowHalfOpen = true; // TLS has it off
    // Under Deno's node:https, a write of nothing fails.
    return new NodeSocket(socket, { hasMarks: !socket.encrypted, isOurs: false });
  }

  static #onData(this: net.Socket, bytes: Uint8Array): void {
    (this as OwnedSocket)[CONN].#inflow.receive(bytes);
  }

  static #onEnd(this: net.Socket): void {
    (this as OwnedSocket)[CONN].#inflow.end();
  }

  static #onError(this: net.Socket, error: Error): void {
    (this as OwnedSocket)[CONN].#error ??= error;
  }

  static #onClose(this: net.Socket): void {
    (this as OwnedSocket)[CONN].#closed();
  }

  read(): Promise<Uint8Array | null> {
    return this.#inflow.read();
  }

  push(sink: ConnSink): ConnFlow {
    return this.#inflow.push(sink);
  }

  write(bytes: Uint8Array): Promise<void> | void {
    const socket = this.#socket;
    if (!this.#hasMarks) return this.#writeMarked(toBuffer(bytes));
    socket.write(toBuffer(bytes));
    // Node has tried at once, and holds nothing back: the system has taken everything.
    if (socket.writableLength === 0 && !socket.destroyed) return;
    // Behind these bytes: called when they have left. (Counts as nothing, but keeps the order.)
    return this.#writeMarked(NOTHING);
  }

  /** Resolves when everything up to these bytes has left. */
  #writeMarked(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      this.#socket.write(bytes, (error) => {
        this.#rejectWrite = null;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) reject(this.#error ?? new Error("The connection is closed"));
      else this.#socket.end((error?: Error | null) => error ? reject(error) : resolve());
    });
  }

  close(): void {
    this.#inflow.close();
    this.#socket.destroy(); // end() would wait for a blocked write
  }

  /** Hands over the socket, which nobody reads or writes at the moment. */
  detach(): net.Socket {
    const socket = this.#socket;
    socket.off("data", NodeSocket.#onData);
    socket.off("end", NodeSocket.#onEnd);
    socket.off("close", NodeSocket.#onClose);
    return socket;
  }

  #closed(): void {
    this.#inflow.end(this.#error);
    this.#rejectWrite?.(this.#error ?? new Error("The connection is closed"));
    this.#rejectWrite = null;
  }
}

/** Elsewhere `node:net` may read to memory that it goes on using. */
const isNode = !("deno" in process.versions) && !("bun" in process.versions);

/** Longer bytes are not kept for a write that may not come. */
const MAX_KEPT = 16_384;

let lastBytes: Uint8Array = NOTHING;
let lastBuffer: Buffer = Buffer.alloc(0);

/** What Node makes of bytes for each write; a broadcast's are the same for all. */
function toBuffer(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_KEPT) return bytes;
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return lastBuffer;
}

/**
 * Listens. Resolves when the address is bound; rejects when it can't be.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve } from "@twoway/websocket";
 * import { listen } from "@twoway/websocket/node";
 *
 * const listener = await listen({ hostname: "127.0.0.1", port: 0 });
 * const server = await serve({ listener }, () => {});
 * assertEquals(server.addr, listener.addr);
 * await server.shutdown(); // and closes the listener
 * ```
 */
export function listen(options: ListenOptions): Promise<Listener> {
  const queue = new AcceptQueue();
  const server = options.tls === undefined
    ? net.createServer({ allowHalfOpen: true }, (socket) => queue.push(new NodeSocket(socket)))
    : createTlsServer(options.tls, queue);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(systemError("listen on", options, error)));
    server.listen(
      options.unix === undefined ? { host: options.hostname, port: options.port } : {
        path: options.unix,
      },
      () => {
        // Later errors are of accepting (no file descriptors left): the server goes on by itself.
        server.on("error", () => {});
        resolve({
          addr: localAddr(server, options),
          secure: options.tls !== undefined,
          accept: () => queue.accept(),
          close: () => void (queue.close() && server.close()),
        });
      },
    );
  });
}

/**
 * A server whose connections are there before TLS is: `connection` gives the raw socket,
 * `secureConnection` and `tlsClientError` tell later what has become of it.
 */
function createTlsServer(options: tls.TlsOptions, queue: AcceptQueue): tls.Server {
  const pending = new Map<string, PendingTls>();
  // The 120 s after which Node gives up by itself would not close the socket.
  const server = tls.createServer({ ...options, ALPNProtocols: ["http/1.1"] });
  server.on("connection", (socket: net.Socket) => {
    const key = peerKey(socket);
    const conn = new PendingTls(socket);
    pending.set(key, conn);
    socket.once("close", () => {
      pending.delete(key);
      conn.fail(new Error("The connection ended in the TLS handshake"));
    });
    queue.push(conn);
  });
  server.on("secureConnection", (socket) => {
    const conn = pending.get(peerKey(socket));
    pending.delete(peerKey(socket));
    // Not before: a server that lets its peers half-close is not told of those that leave early.
    socket.allowHalfOpen = true;
    if (conn === undefined) socket.destroy();
    else conn.open(socket);
  });
  server.on("tlsClientError", (error, socket) => {
    pending.get(peerKey(socket))?.fail(error);
    socket.destroy();
  });
  return server;
}

function peerKey({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** A Conn whose TLS handshake is under way. */
class PendingTls implements Conn {
  readonly remoteAddr: Addr;
  readonly #raw: net.Socket;
  readonly #secured: Promise<NodeSocket>;
  #resolve!: (conn: NodeSocket) => void;
  #reject!: (error: Error) => void;
  #conn: NodeSocket | null = null;
  #isClosed = false;

  constructor(raw: net.Socket) {
    this.#raw = raw;
    this.remoteAddr = remoteAddr(raw);
    this.#secured = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#secured.catch(() => {}); // the first read() tells
  }

  open(socket: tls.TLSSocket): void {
    this.#conn = new NodeSocket(socket);
    this.#resolve(this.#conn);
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  push(sink: ConnSink): ConnFlow {
    if (this.#conn === null) throw new TypeError("Cannot push: the TLS handshake is under way");
    return this.#conn.push(sink);
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#conn !== null) return this.#conn.read();
    try {
      return await (await this.#secured).read();
    } catch (error) {
      if (this.#isClosed) return null;
      throw error;
    }
  }

  write(bytes: Uint8Array): Promise<void> | void {
    return this.#conn === null
      ? this.#secured.then((conn) => conn.write(bytes))
      : this.#conn.write(bytes);
  }

  async closeWrite(): Promise<void> {
    return await (await this.#secured).closeWrite();
  }

  close(): void {
    this.#isClosed = true;
    this.fail(new Error("The connection is closed"));
    this.#conn?.close();
    this.#raw.destroy();
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
 * import { dial } from "@twoway/websocket/node";
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
  return establish(options, () => {
    const { hostname, port, unix, tls: secure } = options;
    const address = unix === undefined ? { host: hostname, port: port! } : { path: unix };
    const target = { ...address, allowHalfOpen: true };
    return secure === undefined
      ? net.connect(target)
      : tls.connect({ ...target, ...clientTls(options, "http/1.1") });
  });
}

/**
 * Begins TLS, as options of {@linkcode dial} want it, on a connection from there that nobody reads
 * or writes at the moment; it is not to be used any more.
 */
export function startTls(conn: Conn, options: DialOptions): Promise<Conn> {
  return establish(options, () => {
    if (!(conn instanceof NodeSocket)) throw new TypeError("The connection is not one from dial()");
    const socket = conn.detach();
    const secured = tls.connect({ ...clientTls(options, "http/1.1"), socket });
    // Node 20 does not notice the end of a stream that had come before TLS was there.
    if (socket.readableEnded) secured.destroy();
    return secured;
  });
}

/** Waits for a socket to be connected, TLS handshake included. */
function establish(options: DialOptions, start: () => net.Socket): Promise<Conn> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = start();
    const ready = options.tls === undefined ? "connect" : "secureConnect";
    const abort = (): void => {
      socket.destroy();
      reject(signal!.reason);
    };
    const fail = (error: unknown): void => {
      signal?.removeEventListener("abort", abort);
      reject(systemError("connect to", options, error));
    };
    signal?.addEventListener("abort", abort, { once: true });
    socket.on("error", fail);
    socket.once("close", fail); // a peer may end the TLS handshake without an error
    socket.once(ready, () => {
      signal?.removeEventListener("abort", abort);
      socket.off("close", fail);
      resolve(new NodeSocket(socket));
    });
  });
}

/** Environment variables by name. */
export function readEnv(names: readonly string[]): Promise<Record<string, string | undefined>> {
  return Promise.resolve(Object.fromEntries(names.map((name) => [name, process.env[name]])));
}

function localAddr(server: net.Server, { unix }: ListenOptions): Addr {
  if (unix !== undefined) return { transport: "unix", path: unix };
  const { address: hostname, port } = server.address() as net.AddressInfo;
  return { transport: "tcp", hostname, port };
}
