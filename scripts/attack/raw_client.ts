/** A client that speaks bytes, and reads as little or as much as an attack wants. @module */

import type { Conn } from "../../src/runtime/conn.ts";
import { dial } from "../../src/runtime/mod.ts";
import { encodeFrame, joinBytes } from "../../tests/frames.ts";
import { latin1 } from "../../tests/latin1.ts";
import { REQUEST, requestWith } from "../../tests/raw_peer.ts";

/** How many attacking bytes are written at once. */
const CHUNK = 262_144;

/** One connection of an attacker. */
export class RawClient {
  readonly #conn: Conn;
  /** How the server ended it: the code of its Close frame, or how the connection went. */
  readonly ended: Promise<string>;
  #tail = new Uint8Array(0);
  #isOver = false;

  private constructor(conn: Conn, isDeaf: boolean) {
    this.#conn = conn;
    this.ended = isDeaf ? new Promise(() => {}) : this.#read();
    this.ended.then(() => this.#isOver = true);
  }

  /** A bare TCP connection. */
  static async dial(url: string): Promise<Conn> {
    const { hostname, port } = new URL(url);
    return await dial({ hostname, port: Number(port) });
  }

  /** An open WebSocket; a deaf one reads nothing behind the handshake. */
  static async open(
    url: string,
    { deaf = false, compress = false }: { deaf?: boolean; compress?: boolean } = {},
  ): Promise<RawClient> {
    const conn = await RawClient.dial(url);
    const request = compress
      ? requestWith("Sec-WebSocket-Extensions: permessage-deflate")
      : REQUEST;
    await conn.write(latin1(request));
    let text = "";
    while (!text.includes("\r\n\r\n")) {
      const bytes = await conn.read();
      if (bytes === null) throw new Error(`The server refused: ${text}`);
      text += new TextDecoder().decode(bytes);
    }
    if (!text.startsWith("HTTP/1.1 101 ")) throw new Error(`The server refused: ${text}`);
    return new RawClient(conn, deaf);
  }

  /** Writes all; returns whether the server has taken it. */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length && !this.#isOver; at += CHUNK) {
        await this.#conn.write(bytes.subarray(at, at + CHUNK));
      }
      return !this.#isOver;
    } catch {
      return false;
    }
  }

  /** Writes the same bytes again and again, until `total` is reached or nothing is taken for long. */
  async flood(bytes: Uint8Array, total: number, patience: number = 3000): Promise<number> {
    let written = 0;
    while (written < total && !this.#isOver) {
      const taken = await within(patience, this.write(bytes));
      if (taken !== true) break;
      written += bytes.length;
    }
    return written;
  }

  /** Closes in good order; returns how the server answered, once it has dealt with all before. */
  async leave(patience: number = 10_000): Promise<string | null> {
    await this.write(frame(0x88));
    const end = await within(patience, this.ended);
    this.close();
    return end;
  }

  close(): void {
    this.#conn.close();
  }

  async #read(): Promise<string> {
    try {
      for (;;) {
        const bytes = await this.#conn.read();
        if (bytes === null) return closeCode(this.#tail) ?? "FIN";
        this.#tail = bytes.length >= 200
          ? new Uint8Array(bytes.subarray(-200))
          : joinBytes(this.#tail, bytes).slice(-200);
      }
    } catch {
      return closeCode(this.#tail) ?? "reset";
    }
  }
}

/** The code of a Close frame at the end of the bytes; "1005" if it has none. */
function closeCode(bytes: Uint8Array): string | null {
  if (bytes.at(-2) === 0x88 && bytes.at(-1) === 0) return "1005";
  for (let at = 0; at < bytes.length - 3; at++) {
    if (bytes[at] === 0x88 && bytes[at + 1] === bytes.length - at - 2) {
      return `${bytes[at + 2] * 256 + bytes[at + 3]}`;
    }
  }
  return null;
}

/** What a promise gives, or `null` after so many milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), ms));
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** A masked frame; the mask 0 keeps the payload readable. */
export function frame(first: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame({
    fin: first >= 0x80,
    rsv: (first >> 4) & 7,
    opcode: first & 15,
    mask: new Uint8Array(4),
    payload,
  });
}

/** `bytes` so many times over. */
export function repeat(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(bytes.length * count);
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length);
  return all;
}
