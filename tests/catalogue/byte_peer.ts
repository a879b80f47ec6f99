/** The other end of a connection under test: bytes out, bytes in, and how the stream ended. @module */

import type { Conn } from "../../src/runtime/conn.ts";

/** All that a peer has received. */
export interface Received {
  readonly bytes: Uint8Array;
  /** How the stream ended: by FIN, or broken. */
  readonly end: "FIN" | "RST";
}

/** Collects what comes from a connection. */
export class BytePeer {
  readonly conn: Conn;
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** What has come so far. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** What has come so far, one character per byte. */
  get text(): string {
    let text = "";
    for (const byte of this.bytes) text += String.fromCharCode(byte);
    return text;
  }

  /** Writes pieces one after the other; a connection that is gone takes the rest. */
  async send(pieces: readonly Uint8Array[]): Promise<void> {
    try {
      for (const piece of pieces) if (piece.length > 0) await this.conn.write(piece);
    } catch {
      // What the other end thinks of it is read.
    }
  }

  /** Reads until `isEnough` or the end of the stream; `null` if it is enough. */
  async receive(isEnough: (peer: this) => boolean = () => false): Promise<Received["end"] | null> {
    try {
      while (!isEnough(this)) {
        const bytes = await this.conn.read();
        if (bytes === null) return "FIN";
        this.#append(bytes);
      }
      return null;
    } catch {
      return "RST";
    }
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#bytes = this.#bytes.slice(count, this.#size);
    this.#size -= count;
  }

  #append(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, this.#bytes.length * 2));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }
}
