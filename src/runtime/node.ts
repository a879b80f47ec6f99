/**
 * TCP, TLS and Unix sockets of `node:net` and `node:tls` as {@linkcode Conn}s.
 *
 * @module
 */

import net from "node:net";
import process from "node:process";
import tls from "node:tls";
import { AcceptQueue } from "./accept_queue.ts";
import { systemError } from "./address.ts";
import type { Addr, Conn, DialOptions, Listener, ListenOptions } from "./conn.ts";
import { clientTls } from "./node_peer.ts";
import { NodeSocket } from "./node_socket.ts";
import { createTlsServer } from "./node_tls_server.ts";

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
    // A peer may end the TLS handshake without an error.
    const closed = (): void => fail(new Error("the connection was closed"));
    signal?.addEventListener("abort", abort, { once: true });
    socket.on("error", fail);
    socket.once("close", closed);
    socket.once(ready, () => {
      signal?.removeEventListener("abort", abort);
      socket.off("close", closed);
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
