/**
 * A connection of Deno's, of TCP, TLS or a Unix socket, as a {@linkcode Conn}; deno.ts makes them.
 *
 * @module
 */

import type { Addr, Conn, ConnFlow, ConnSink } from "./conn.ts";
import { ReadBuffer } from "./read_buffer.ts";

// Of Deno's types only what is used, so that this file type-checks everywhere.

/** An address as Deno tells it. */
export interface DenoAddr {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
}

/** Deno's own connection. */
export interface DenoConn {
  readonly remoteAddr: DenoAddr;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  handshake?(): Promise<unknown>;
}

/** A Conn over a connection of Deno's, which nobody else uses. */
export class DenoSocket implements Conn, ConnFlow {
  readonly remoteAddr: Addr;
  readonly isSecure: boolean;
  readonly #conn: DenoConn;
  readonly #buffer = new ReadBuffer();
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
    try {
      const count = await this.#conn.read(this.#buffer.next());
      return count === null ? null : this.#buffer.take(count);
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
    this.#conn.read(this.#buffer.next()).then(this.#received, this.#failed);
  }

  // Made once: a read costs one promise and no closure.
  readonly #received = (count: number | null): void => {
    if (count === null || this.#isClosed) return this.#sink!.end();
    if (this.#sink!.data(this.#buffer.take(count))) this.resume();
    else this.#buffer.hold();
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
    this.#buffer.release();
    try {
      this.#conn.close();
    } catch {
      // A connection that has been reset is closed already: BadResource.
    }
  }

  /** Hands over Deno's own connection; this one is as good as closed. */
  detach(): DenoConn {
    this.#isClosed = true;
    this.#buffer.release();
    return this.#conn;
  }
}

/** An address as ours. */
export function toAddr(addr: DenoAddr): Addr {
  return addr.transport === "unix" ? { transport: "unix", path: addr.path ?? "" } : addr as Addr;
}
