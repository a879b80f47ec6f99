/**
 * A connection of Bun's, of TCP, TLS or a Unix socket, as a {@linkcode Conn}; bun.ts makes them.
 *
 * @module
 */

import type { Addr, Conn, ConnFlow, ConnSink } from "./conn.ts";
import { free } from "./free.ts";
import { Inflow } from "./inflow.ts";

// Of Bun's types only what is used, so that this file type-checks everywhere.

/** Bun's own socket. */
export interface Socket {
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
  /** Nothing where the connection has gone. */
  upgradeTLS(options: object): [raw: Socket, secured: Socket] | undefined;
}

/** What Bun calls when something happens to a socket. */
export interface SocketHandlers {
  open(socket: Socket): void;
  data(socket: Socket, bytes: Uint8Array): void;
  drain(socket: Socket): void;
  end(socket: Socket): void;
  close(socket: Socket, error?: Error): void;
  error(socket: Socket, error: Error): void;
  handshake?(socket: Socket, success: boolean, error: Error | null): void;
  connectError?(socket: Socket, error: Error): void;
}

/** A write that the system has taken only part of. */
interface PendingWrite {
  readonly bytes: Uint8Array;
  at: number;
  resolve(): void;
  reject(error: Error): void;
}

/** A Conn over a socket of Bun's, which nobody else uses. */
export class BunSocket implements Conn {
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
    this.#inflow = new Inflow(socket, free);
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
export const EVENTS = {
  data: (socket: Socket, bytes: Uint8Array): void => socket.data.receive(bytes),
  drain: (socket: Socket): void => socket.data.drain(),
  end: (socket: Socket): void => socket.data.endOfStream(),
  close: (socket: Socket, error?: Error): void => socket.data.closed(error),
  error: (socket: Socket, error: Error): void => socket.data.fail(error),
};
