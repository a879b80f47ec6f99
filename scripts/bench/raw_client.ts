/**
 * A client that costs next to nothing: it sends prepared frames and counts those that come back.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { constants, createDeflateRaw, inflateRawSync } from "node:zlib";
import { once } from "node:events";

/** Frames to send over and over, one behind the other. */
export interface Script {
  /** All frames, masked. */
  readonly bytes: Uint8Array;
  /** Where each begins, and where the last one ends. */
  readonly starts: readonly number[];
  /** What the messages say. */
  readonly texts: readonly string[];
}

/** How to speak to the server. */
export interface Dialect {
  /** What is offered; `""` for no compression. */
  readonly offer: string;
  /** Whether a message may refer to those before it. */
  readonly takeover: boolean;
}

/** The offer that goes with a dialect. */
export function offerOf(compress: boolean, takeover: boolean): string {
  if (!compress) return "";
  return "permessage-deflate" +
    (takeover ? "" : "; server_no_context_takeover; client_no_context_takeover");
}

/** Prepares frames. Repeated in order they stay valid: the first one refers to nothing. */
export async function prepare(texts: readonly string[], dialect: Dialect): Promise<Script> {
  const isCompressed = dialect.offer !== "";
  const payloads = isCompressed
    ? await deflateAll(texts, dialect.takeover)
    : texts.map((text) => Buffer.from(text));
  const frames = payloads.map((payload) => maskedFrame(payload, isCompressed));
  const starts = [0];
  for (const frame of frames) starts.push(starts[starts.length - 1] + frame.length);
  return { bytes: Buffer.concat(frames), starts, texts };
}

async function deflateAll(texts: readonly string[], takeover: boolean): Promise<Buffer[]> {
  const stream = createDeflateRaw();
  const payloads: Buffer[] = [];
  for (const text of texts) {
    const pieces: Buffer[] = [];
    const collect = (piece: Buffer): unknown => pieces.push(piece);
    stream.on("data", collect);
    stream.write(text);
    await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    stream.off("data", collect);
    payloads.push(Buffer.concat(pieces).subarray(0, -4));
    if (!takeover) stream.reset();
  }
  stream.close();
  return payloads;
}

function maskedFrame(payload: Uint8Array, isCompressed: boolean): Buffer {
  const header = payload.length < 126
    ? Buffer.alloc(6)
    : Buffer.from([0, 0, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  header[0] = isCompressed ? 0xc1 : 0x81;
  header[1] = 0x80 | Math.min(payload.length, 126);
  const key = [0x37, 0xfa, 0x21, 0x3d];
  header.set(key, header.length - 4);
  return Buffer.concat([header, payload.map((byte, i) => byte ^ key[i & 3])]);
}

/** One connection. */
export class RawClient {
  readonly #socket: Socket;
  readonly #script: Script;
  readonly #isCompressed: boolean;
  #next = 0;
  /** What has come of a frame that is not complete. */
  #rest: Buffer = Buffer.alloc(0);
  #isChecked = false;
  /** Frames and bytes that have come in. */
  frames = 0;
  bytes = 0;
  /** Called after that many frames have come in at once. */
  onframes: (count: number) => void = () => {};

  private constructor(socket: Socket, script: Script, isCompressed: boolean) {
    this.#socket = socket;
    this.#script = script;
    this.#isCompressed = isCompressed;
    socket.on("data", (data) => this.#take(data));
  }

  /** Connects. Rejects if the server does not agree to the dialect's offer. */
  static async open(port: number, script: Script, dialect: Dialect): Promise<RawClient> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    const offer = dialect.offer && `Sec-WebSocket-Extensions: ${dialect.offer}\r\n`;
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offer}\r\n`,
    );
    const [data] = await once(socket, "data") as [Buffer];
    const head = data.toString("latin1");
    const isAgreed = /^sec-websocket-extensions:.*permessage-deflate/im.test(head);
    const isLone = /no_context_takeover/i.test(head);
    const isRight = head.startsWith("HTTP/1.1 101") && head.endsWith("\r\n\r\n") &&
      isAgreed === (dialect.offer !== "") && (!isAgreed || isLone !== dialect.takeover);
    if (!isRight) throw new Error(`The server does not answer as it should: ${head}`);
    return new RawClient(socket, script, isAgreed);
  }

  /** Sends the script's next messages. */
  send(count: number): void {
    const { bytes, starts, texts } = this.#script;
    for (let left = count; left > 0;) {
      const from = this.#next;
      const to = Math.min(from + left, texts.length);
      this.#socket.write(bytes.subarray(starts[from], starts[to]));
      this.#next = to % texts.length;
      left -= to - from;
    }
  }

  /** Ends the connection as a client should: with a Close frame; resolves when it is gone. */
  async close(): Promise<void> {
    this.onframes = () => {};
    const gone = once(this.#socket, "close");
    this.#socket.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
    await gone;
  }

  #take(data: Buffer): void {
    this.bytes += data.length;
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let at = 0;
    let frames = 0;
    while (all.length - at >= 4) {
      const short = all[at + 1];
      const size = short < 126 ? short + 2 : all.readUInt16BE(at + 2) + 4;
      if (all.length - at < size) break;
      if (!this.#isChecked) this.#check(all.subarray(at, at + size));
      at += size;
      frames++;
    }
    this.#rest = all.subarray(at);
    this.frames += frames;
    if (frames > 0) this.onframes(frames);
  }

  /** The first reply is the first message, compressed if that is agreed. */
  #check(frame: Buffer): void {
    this.#isChecked = true;
    if (frame[0] === 0x88) return;
    const payload = frame.subarray(frame[1] < 126 ? 2 : 4);
    const isCompressed = (frame[0] & 0x40) !== 0;
    const text = isCompressed
      ? inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), {
        finishFlush: constants.Z_SYNC_FLUSH,
      }).toString()
      : payload.toString();
    if (isCompressed === this.#isCompressed && text === this.#script.texts[0]) return;
    throw new Error(`The reply is wrong: ${frame.subarray(0, 16).toString("hex")}`);
  }
}
