/**
 * How a connection of Bun's comes about: from the call that begins it until it is open, or has failed.
 *
 * @module
 */

import { systemError } from "./address.ts";
import { BunSocket, EVENTS, type Socket, type SocketHandlers } from "./bun_socket.ts";
import type { Conn, DialOptions } from "./conn.ts";

/** Waits for one socket. */
export class Dialling {
  /** What Bun is to call. */
  readonly handlers: SocketHandlers = {
    ...EVENTS,
    open: (socket) => this.#opened(socket),
    close: (socket, error) => this.#closed(socket, error),
    connectError: (_, error) => this.fail(error),
  };
  /** Settles when the connection is there, TLS handshake included, or will not be. */
  readonly conn: Promise<Conn>;
  readonly #options: DialOptions;
  #resolve!: (conn: Conn) => void;
  #reject!: (error: unknown) => void;
  #socket: Socket | null = null;

  /** Throws the signal's reason if it has been aborted. */
  constructor(options: DialOptions) {
    const { tls, signal } = options;
    signal?.throwIfAborted();
    this.#options = { ...options }; // the caller's may change
    this.conn = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.conn.catch(() => {}); // where Bun throws at once, nobody waits for it
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (tls === undefined) return;
    this.handlers.handshake = (socket, success, error) => this.#secured(socket, success, error);
  }

  /** This is the socket: one that is there already, or that Bun has opened. */
  adopt(socket: Socket): void {
    if (this.#socket === socket) return;
    this.#socket = socket;
    const { tls, unix } = this.#options;
    socket.data = new BunSocket(socket, unix !== undefined, tls !== undefined);
  }

  /** Nothing will come of it, since Bun has refused at once. */
  giveUp(): void {
    this.#settle();
  }

  /** Rejects, if there is no connection yet; behind that the end is the socket's own matter. */
  fail(error: unknown): void {
    const { hostname, port, unix } = this.#options;
    this.#settle();
    this.#reject(systemError("connect to", { hostname, port, unix }, error));
  }

  #opened(socket: Socket): void {
    const { tls, signal } = this.#options;
    this.adopt(socket);
    if (signal?.aborted) socket.terminate();
    else if (tls === undefined) this.#ready(socket);
  }

  #secured(socket: Socket, success: boolean, error: Error | null): void {
    // Bun also calls a handshake failed whose certificate is wrong.
    const isReady = this.#options.tls!.dangerouslyAcceptAnyCertificate
      ? socket.getCipher().name !== null
      : success && error === null;
    if (isReady) return this.#ready(socket);
    this.fail(error ?? new Error("The TLS handshake failed"));
    socket.terminate();
  }

  #closed(socket: Socket, error: Error | undefined): void {
    socket.data.closed(error);
    this.fail(error ?? new Error("the peer closed the connection"));
  }

  #ready(socket: Socket): void {
    this.#settle();
    this.#resolve(socket.data);
  }

  readonly #abort = (): void => {
    this.#reject(this.#options.signal!.reason);
    this.#socket?.terminate();
  };

  #settle(): void {
    this.#options.signal?.removeEventListener("abort", this.#abort);
  }
}
