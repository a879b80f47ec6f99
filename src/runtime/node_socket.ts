/**
 * A socket of `node:net` or `node:tls`, dialled, accepted or taken over, as a {@linkcode Conn}.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type net from "node:net";
import process from "node:process";
import type { Duplex } from "node:stream";
import type tls from "node:tls";
import type { Addr, Conn, ConnFlow, ConnSink } from "./conn.ts";
import { free } from "./free.ts";
import { Inflow } from "./inflow.ts";
import { remoteAddr } from "./node_peer.ts";

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
