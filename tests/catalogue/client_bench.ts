/**
 * One raw server and one client after another: plays bytes to `connect()` and writes down what came
 * of them on both sides.
 *
 * @module
 */

import {
  connect,
  HandshakeError,
  type Listener,
  type SessionOptions,
  type TcpAddr,
} from "../../mod.ts";
import { acceptKey } from "../../src/core/handshake.ts";
import { listen } from "../../src/runtime/mod.ts";
import { OFFERED } from "../core/response_vectors.ts";
import { decodeFrames } from "../frames.ts";
import { latin1 } from "../latin1.ts";
import { BytePeer } from "./byte_peer.ts";
import { Witness } from "./witness.ts";
import { describeBytes, describeError, describeFrames, quote } from "./words.ts";

/** What the raw server plays to a client. */
export interface Play {
  /** The bytes of the answer, for the accept key that would be right. */
  readonly answer: (accept: string) => Uint8Array;
  readonly cut: (bytes: Uint8Array) => Uint8Array[];
  /** Whether the stream ends behind the bytes, as that of a response without length does. */
  readonly endsWithFin?: boolean;
}

/** The response that opens a session. */
export function switching(accept: string, extensions?: string): string {
  const field = extensions === undefined ? "" : `Sec-WebSocket-Extensions: ${extensions}\r\n`;
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n${field}\r\n`;
}

/** Where clients are played to: one connection at a time. */
export class ClientBench {
  readonly #listener: Listener;
  readonly #compress: SessionOptions["compress"];

  private constructor(listener: Listener, compress: SessionOptions["compress"]) {
    this.#listener = listener;
    this.#compress = compress;
  }

  static async start(compress: SessionOptions["compress"] = false): Promise<ClientBench> {
    return new ClientBench(await listen({ hostname: "127.0.0.1", port: 0 }), compress);
  }

  /** Answers a client's request with these bytes; returns what happened. */
  async play(play: Play): Promise<string[]> {
    const { port } = this.#listener.addr as TcpAddr;
    const [client, server] = await Promise.all([
      runClient(`ws://127.0.0.1:${port}/`, this.#compress),
      this.#serve(play),
    ]);
    return [
      ...client.map((line) => `client: ${line}`),
      // Whether what a client leaves unread makes its end a reset depends on time.
      ...(client[0].startsWith("open") ? server.map((line) => `peer: ${line}`) : []),
    ];
  }

  stop(): void {
    this.#listener.close();
  }

  async #serve({ answer, cut, endsWithFin = false }: Play): Promise<string[]> {
    const peer = new BytePeer((await this.#listener.accept())!);
    await peer.receive(({ text }) => text.includes("\r\n\r\n"));
    const { text } = peer;
    peer.drop(text.indexOf("\r\n\r\n") + 4);
    const key = /sec-websocket-key: (.*)\r\n/i.exec(text)![1];
    const pieces = cut(answer(await acceptKey(key)));
    const sending = peer.send(pieces);
    if (endsWithFin) sending.then(() => peer.conn.closeWrite()).catch(() => {});
    const [end] = await Promise.all([readToTheEnd(peer), sending]);
    peer.conn.close();
    return end === "RST" ? [end] : [...describeFrames("client", peer.bytes), end];
  }
}

/** Ends the stream once the client has sent its Close frame: "the server MUST close first" (7.1.1). */
async function readToTheEnd(peer: BytePeer): Promise<string> {
  const early = await peer.receive(hasClose);
  if (early !== null) return early;
  await peer.conn.closeWrite().catch(() => {});
  return await peer.receive() ?? "";
}

function hasClose({ bytes }: BytePeer): boolean {
  try {
    return decodeFrames("client", bytes).some(({ opcode }) => opcode === 8);
  } catch {
    return false; // the last frame is not complete
  }
}

async function runClient(
  url: string,
  compress: SessionOptions["compress"],
): Promise<string[]> {
  const witness = new Witness();
  try {
    const session = await connect(url, { protocols: OFFERED, closeTimeout: 5000, compress });
    session.closed.then((status) => witness.ended(session, status));
    witness.opened(session);
    for await (const message of session) {
      await witness.received(session, message).catch(() => {}); // it has ended meanwhile
    }
    await witness.done;
    return witness.lines;
  } catch (error) {
    return describeFailure(error);
  }
}

function describeFailure(error: unknown): string[] {
  const lines = [`failed, ${describeError(error)}`];
  if (!(error instanceof HandshakeError) || error.status === undefined || error.status < 200) {
    return lines;
  }
  for (const name of ["location", "retry-after"]) {
    const field = error.headers.find(([other]) => other === name);
    if (field !== undefined) lines.push(`${name}: ${quote(field[1])}`);
  }
  const { body } = error;
  return body === undefined ? lines : [...lines, `body ${describeBytes(body)}`];
}

/** `text` and frames behind it. */
export function answerWith(text: string, frames: Uint8Array): Uint8Array {
  const head = latin1(text);
  const bytes = new Uint8Array(head.length + frames.length);
  bytes.set(head);
  bytes.set(frames, head.length);
  return bytes;
}
