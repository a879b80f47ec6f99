/** A server in the test's hands, byte by byte: for what no well-behaved server would send. @module */

import type { TcpAddr } from "../../mod.ts";
import { acceptKey } from "../../src/core/handshake.ts";
import type { Conn, Listener } from "../../src/runtime/conn.ts";
import { listen } from "../../src/runtime/mod.ts";
import { latin1 } from "../latin1.ts";

/** One connection of a {@linkcode RawServer}, whose request has been read. */
export class RawConnection {
  readonly conn: Conn;
  readonly request: string;
  #received = "";

  constructor(conn: Conn, request: string) {
    this.conn = conn;
    this.request = request;
  }

  /** Answers 101, with further lines and the bytes that follow at once. */
  async upgrade(lines: readonly string[] = [], behind: string = ""): Promise<void> {
    const key = /sec-websocket-key: (.*)\r\n/i.exec(this.request)?.[1] ?? "";
    const head = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${await acceptKey(key)}`,
      ...lines,
    ];
    await this.send(`${head.join("\r\n")}\r\n\r\n${behind}`);
  }

  /** Text as Latin-1: one byte per character. */
  async send(text: string): Promise<void> {
    await this.conn.write(latin1(text));
  }

  /** At least `size` bytes of what the client has sent, or all up to its FIN. */
  async receive(size: number = Infinity): Promise<string> {
    while (this.#received.length < size) {
      const bytes = await this.conn.read().catch(() => null);
      if (bytes === null) break;
      for (const byte of bytes) this.#received += String.fromCharCode(byte);
    }
    return this.#received;
  }

  /** The payload of the client's first frame, and its opcode. */
  async frame(): Promise<{ opcode: number; payload: string }> {
    let text = await this.receive(2);
    const short = text.charCodeAt(1) & 0x7f;
    const head = short < 126 ? 6 : short === 126 ? 8 : 14;
    text = await this.receive(head);
    let length = short;
    if (short >= 126) {
      length = 0;
      for (let i = 2; i < head - 4; i++) length = length * 256 + text.charCodeAt(i);
    }
    text = await this.receive(head + length);
    let payload = "";
    for (let i = 0; i < length; i++) {
      const mask = text.charCodeAt(head - 4 + (i & 3));
      payload += String.fromCharCode(text.charCodeAt(head + i) ^ mask);
    }
    this.#received = text.slice(head + length);
    return { opcode: text.charCodeAt(0) & 15, payload };
  }
}

/** Serves every connection by `serve`, while `run` runs. */
export async function withRawServer(
  serve: (connection: RawConnection) => Promise<void>,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const listener: Listener = await listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Conn[] = [];
  const failures: unknown[] = [];
  const accepting = (async () => {
    for (let conn = await listener.accept(); conn !== null; conn = await listener.accept()) {
      conns.push(conn);
      void serveOne(conn, serve).catch((error) => failures.push(error));
    }
  })();
  try {
    await run(`ws://127.0.0.1:${(listener.addr as TcpAddr).port}/`);
  } finally {
    listener.close();
    await accepting;
    for (const conn of conns) conn.close();
  }
  if (failures.length > 0) throw failures[0];
}

async function serveOne(
  conn: Conn,
  serve: (connection: RawConnection) => Promise<void>,
): Promise<void> {
  let request = "";
  while (!request.includes("\r\n\r\n")) {
    const bytes = await conn.read().catch(() => null);
    if (bytes === null) return;
    for (const byte of bytes) request += String.fromCharCode(byte);
  }
  await serve(new RawConnection(conn, request));
  // "the server MUST close the TCP connection first" (RFC 6455 section 7.1.1)
  await conn.closeWrite().catch(() => {});
  while (await conn.read().catch(() => null) !== null);
  conn.close();
}
