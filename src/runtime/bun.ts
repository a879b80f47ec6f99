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
import { Dialling } from "./bun_dialling.ts";
import { BunSocket, EVENTS, type Socket, type SocketHandlers } from "./bun_socket.ts";
import type { Addr, Conn, DialOptions, Listener, ListenOptions } from "./conn.ts";

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

/** What of Bun is used here. */
interface BunNet {
  listen(options: object): { readonly hostname: string; readonly port: number; stop(): void };
  connect(options: object): Promise<Socket>;
  readonly env: Readonly<Record<string, string | undefined>>;
}
const bun: BunNet = (globalThis as unknown as { Bun: BunNet }).Bun;

/** The protocol that TLS agrees on (ALPN), as on the wire: Bun sends a name without its length as it is. */
const HTTP_1_1 = "\x08http/1.1";

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
export async function dial(options: DialOptions): Promise<Conn> {
  const { hostname, port, unix, tls } = options;
  const dialling = new Dialling(options);
  try {
    bun.connect({
      ...(unix === undefined ? { hostname, port } : { unix }),
      tls: tls && clientTls(options),
      allowHalfOpen: true,
      socket: dialling.handlers,
    }).catch((error) => dialling.fail(error));
  } catch (error) {
    dialling.giveUp();
    throw error;
  }
  return await dialling.conn;
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
export async function startTls(conn: Conn, options: DialOptions): Promise<Conn> {
  options.signal?.throwIfAborted();
  if (!(conn instanceof BunSocket)) throw new TypeError("The connection is not one from dial()");
  if (conn.isSecure) throw new TypeError("Cannot start TLS: Bun has no TLS within TLS");
  const dialling = new Dialling(options);
  const upgrade = { tls: clientTls(options), socket: dialling.handlers };
  const socket = conn.detach();
  try {
    const pair = socket.upgradeTLS(upgrade);
    if (pair === undefined) throw new Error("The connection was closed before TLS could begin");
    dialling.adopt(pair[1]);
  } catch (error) {
    dialling.giveUp();
    socket.terminate();
    throw error;
  }
  return await dialling.conn;
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
