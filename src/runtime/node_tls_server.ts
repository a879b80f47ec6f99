/**
 * A server of `node:tls` whose connections are there before their TLS handshakes are over.
 *
 * @module
 */

import type net from "node:net";
import tls from "node:tls";
import type { AcceptQueue } from "./accept_queue.ts";
import type { Addr, Conn, ConnFlow, ConnSink } from "./conn.ts";
import { remoteAddr } from "./node_peer.ts";
import { NodeSocket } from "./node_socket.ts";

/**
 * A server whose connections are there before TLS is: `connection` gives the raw socket,
 * `secureConnection` and `tlsClientError` tell later what has become of it.
 */
export function createTlsServer(options: tls.TlsOptions, queue: AcceptQueue): tls.Server {
  const pending = new WeakMap<net.Socket, PendingTls>();
  // The 120 s after which Node gives up by itself would not close the socket.
  const server = tls.createServer({ ...options, ALPNProtocols: ["http/1.1"] });
  server.on("connection", (socket: net.Socket) => {
    const conn = new PendingTls(socket);
    pending.set(socket, conn);
    socket.once("close", () => conn.fail(new Error("The connection ended in the TLS handshake")));
    queue.push(conn);
  });
  server.on("secureConnection", (socket) => {
    const conn = pending.get(rawOf(socket));
    // Not before: a server that lets its peers half-close is not told of those that leave early.
    socket.allowHalfOpen = true;
    if (conn === undefined) socket.destroy();
    else conn.open(socket);
  });
  server.on("tlsClientError", (error, socket) => {
    pending.get(rawOf(socket))?.fail(error);
    socket.destroy();
  });
  return server;
}

/** What TLS goes over. Node keeps it there for itself; by the peers' addresses, Unix sockets are all one. */
function rawOf(socket: net.Socket): net.Socket {
  return (socket as net.Socket & { readonly _parent?: net.Socket })._parent ?? socket;
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
