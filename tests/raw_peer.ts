/** A peer that speaks bytes: for what no well-behaved client would send. @module */

import type { Addr, Conn } from "../src/runtime/conn.ts";
import { dial } from "../src/runtime/mod.ts";
import { latin1 } from "./latin1.ts";

/** The opening request of the catalogue; accept key `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`. */
export const REQUEST: string = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "",
  "",
].join("\r\n");

/** `REQUEST` with these lines added. */
export function requestWith(...lines: string[]): string {
  return REQUEST.replace("\r\n\r\n", `\r\n${lines.join("\r\n")}\r\n\r\n`);
}

/** A byte-level connection to a server under test. */
export class RawPeer {
  readonly #conn: Conn;
  #received = "";

  private constructor(conn: Conn) {
    this.#conn = conn;
  }

  static async connect(addr: Addr): Promise<RawPeer> {
    const target = addr.transport === "tcp"
      ? { hostname: addr.hostname, port: addr.port }
      : { unix: addr.path };
    return new RawPeer(await dial(target));
  }

  /** Sends text as Latin-1, one byte per character. */
  async send(text: string | Uint8Array): Promise<void> {
    await this.#conn.write(typeof text === "string" ? latin1(text) : text);
  }

  /** Everything received up to and including `end`, or up to the end of the stream. */
  async receiveUntil(end: string): Promise<string> {
    while (!this.#received.includes(end)) {
      const bytes = await this.#conn.read();
      if (bytes === null) break;
      for (const byte of bytes) this.#received += String.fromCharCode(byte);
    }
    const at = this.#received.indexOf(end);
    const length = at < 0 ? this.#received.length : at + end.length;
    const text = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return text;
  }

  /** Everything up to the end of the stream. */
  async receiveAll(): Promise<string> {
    return await this.receiveUntil("\0".repeat(64));
  }

  /** Sends a request and returns the whole answer up to FIN. */
  async exchange(request: string): Promise<string> {
    await this.send(request);
    return await this.receiveAll();
  }

  /** Opens a WebSocket; frames follow. */
  async open(request: string = REQUEST): Promise<string> {
    await this.send(request);
    return await this.receiveUntil("\r\n\r\n");
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

/** The bytes of a frame as a string for {@linkcode RawPeer.send}, masked with 01 02 03 04. */
export function clientFrame(firstByte: number, payload: string): string {
  const masked = Array.from(
    payload,
    (char, i) => char.charCodeAt(0) ^ ((i % 4) + 1),
  );
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return String.fromCharCode(firstByte, ...size, 1, 2, 3, 4, ...masked);
}
