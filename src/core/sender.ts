/**
 * The way out: messages and control frames → bytes to write (RFC 6455 sections 5.1 to 5.6, RFC 7692
 * section 6.1). Messages and the Close frame leave in call order, also while a long one is being
 * compressed; pings and pongs go ahead of messages that wait.
 *
 * @module
 */

import { asciiScratch, encodeAscii } from "./ascii.ts";
import { ByteQueue, MAX_WRITE_SIZE } from "./byte_queue.ts";
import { concat } from "./bytes.ts";
import { encodeClose } from "./close.ts";
import { headerSize, MAX_CONTROL_PAYLOAD, Opcode, RSV1, writeHead } from "./frame.ts";
import { copyMasked, rotateKey } from "./mask.ts";
import { checkBytes, messageOpcode, toPayload } from "./payload.ts";
import type { MessageCodec } from "./permessage_deflate.ts";
import { PreparedMessage } from "./prepared_message.ts";
import { encodeFrame, FIN, writeFrame } from "./whole_frame.ts";

/** Texts up to this length are encoded character by character: a call of the encoder costs more. */
const MAX_ASCII = 125;

/** Bytes that a message takes while it waits for the compressor, besides its payload. */
const WAITING_COST = 64;

/** What a {@linkcode Sender} needs to know. */
export interface SenderOptions {
  /** Gives a fresh masking key for each frame (client); `null` sends unmasked (server). */
  readonly maskKey: (() => number) | null;
  /** The most pongs that wait to be written. */
  readonly maxPendingPongs: number;
  /** `null` where permessage-deflate has not been agreed on. */
  readonly codec?: MessageCodec | null;
}

/** What waits while a message before it is being compressed. */
type Waiting =
  | {
    readonly opcode: Opcode;
    readonly payload: Uint8Array;
    readonly compress: boolean | undefined;
  }
  | PreparedMessage;

/** Encodes frames into a queue of bytes. */
export class Sender {
  readonly #maskKey: (() => number) | null;
  readonly #maxPendingPongs: number;
  readonly #codec: MessageCodec | null;
  readonly #queue = new ByteQueue();
  /** A message is being compressed; then `#waiting` goes on. */
  #deflating: Promise<void> | null = null;
  #waiting: Waiting[] | null = null;
  /** Bytes of the messages that are being compressed or wait for that. */
  #waitingSize = 0;
  #pongs: Uint8Array[] | null = null;
  #ping: Uint8Array | null = null;
  #closeSent = false;
  #isAbandoned = false;

  constructor({ maskKey, maxPendingPongs, codec = null }: SenderOptions) {
    this.#maskKey = maskKey;
    this.#maxPendingPongs = maxPendingPongs;
    this.#codec = codec;
  }

  /** Whether the Close frame has been queued: nothing can follow it. */
  get closeSent(): boolean {
    return this.#closeSent;
  }

  /** Message bytes queued and not yet reported as written, without framing. */
  get bufferedAmount(): number {
    return this.#queue.payloadSize + this.#waitingSize;
  }

  /** See `Protocol.backlog`; with some bytes for each message that waits for a compressor. */
  get backlog(): number {
    const { size } = this.#queue;
    if (this.#deflating === null) return size; // then nothing waits
    return size + this.#waitingSize + (this.#waiting?.length ?? 0) * WAITING_COST;
  }

  /**
   * Settles when the message in work has been compressed, and there is something to write; rejects
   * if that failed. `null` if none is in work.
   */
  get deflating(): Promise<void> | null {
    return this.#deflating;
  }

  /**
   * Queues a message; its bytes are copied. `compress` decides whether it is compressed where that
   * was agreed on; without it the codec's threshold does.
   */
  message(message: string | Uint8Array, compress?: boolean): void {
    this.#checkOpen();
    if (typeof message === "string" && this.#tryAscii(message, compress)) return;
    // A deflater may take its time: then the bytes must be the message's own.
    const payload = toPayload(message, this.#codec !== null);
    const opcode = messageOpcode(message);
    if (this.#deflating !== null) {
      const own = payload === message ? new Uint8Array(payload) : payload;
      this.#wait({ opcode, payload: own, compress });
    } else {
      this.#encode(opcode, payload, compress);
    }
  }

  /** Queues a frame that other connections send, too. */
  prepared(message: PreparedMessage): void {
    this.#checkOpen();
    // "A client MUST mask all frames that it sends to the server" (5.1), each with a fresh key
    if (this.#maskKey !== null) throw new TypeError("Cannot send: a client masks each frame anew");
    if (this.#deflating !== null) this.#wait(message);
    else this.#encodePrepared(message);
  }

  /** Queues a ping; it takes the place of one that has not left yet. */
  ping(payload: Uint8Array): void {
    this.#checkOpen();
    checkBytes(payload);
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(`Cannot ping: payload of ${payload.length} bytes, more than 125`);
    }
    this.#ping = new Uint8Array(payload);
  }

  /**
   * Queues a pong. "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
   * response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the
   * most recently processed Ping frame." (5.5.3): beyond the limit the newest replaces the last.
   * The payload is copied, since whoever is told of the ping gets the same array.
   */
  pong(payload: Uint8Array): void {
    if (this.#closeSent || this.#isAbandoned) return;
    const pongs = this.#pongs ??= [];
    if (pongs.length >= this.#maxPendingPongs) pongs.pop();
    pongs.push(new Uint8Array(payload));
  }

  /** Queues the Close frame; throws as {@linkcode encodeClose} does. */
  close(code?: number, reason?: string): void {
    const payload = encodeClose(code, reason);
    // A second Close frame is legal but useless, so we send one.
    if (this.#closeSent || this.#isAbandoned) return;
    this.#closeSent = true;
    if (this.#deflating === null) this.#append(Opcode.Close, payload, 0);
    else this.#enqueue({ opcode: Opcode.Close, payload, compress: false });
  }

  /** Whether there is something to write now. */
  get hasOutput(): boolean {
    return !this.#queue.isEmpty || this.#pongs !== null || this.#ping !== null;
  }

  /** The next bytes to write, or `null`; unchanged until {@linkcode Sender.written}. */
  take(): Uint8Array | null {
    if (this.#queue.isAtBoundary) this.#flushControl();
    return this.#queue.take();
  }

  /** The bytes last taken have been written. */
  written(): void {
    this.#queue.taken();
  }

  /** Forgets everything, which may still be under way: the connection is gone. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#queue.abandon();
    this.#waiting = null;
    this.#pongs = null;
    this.#ping = null;
  }

  #checkOpen(): void {
    if (this.#isAbandoned) throw new TypeError("Cannot send: the connection is gone");
    if (this.#closeSent) throw new TypeError("Cannot send: a Close frame has been sent");
  }

  #wait(message: Waiting): void {
    this.#waitingSize += sizeOf(message);
    this.#enqueue(message);
  }

  #enqueue(message: Waiting): void {
    if (this.#waiting === null) this.#waiting = [message];
    else this.#waiting.push(message);
  }

  #encode(opcode: Opcode, payload: Uint8Array, compress: boolean | undefined): void {
    const codec = this.#codec;
    const { length } = payload;
    if (codec === null || !isWanted(codec, length, compress)) {
      return this.#append(opcode, payload, length);
    }
    const deflated = codec.deflater.deflate(payload);
    if (!(deflated instanceof Uint8Array)) {
      this.#work(length, deflated, (bytes) => this.#append(opcode, bytes, length, RSV1));
    } else if (deflated.length < length) {
      this.#append(opcode, deflated, length, RSV1);
    } else {
      codec.deflater.reset(); // the peer's window will not hold this message
      this.#append(opcode, payload, length);
    }
  }

  #encodePrepared(message: PreparedMessage): void {
    const { size, compress } = message;
    const codec = this.#codec;
    if (codec === null || !isWanted(codec, size, compress)) {
      return this.#queue.appendShared(message.frame, size);
    }
    const append = (frame: Uint8Array): void => {
      // The peer's window holds this message, our deflater's does not: they start anew together.
      codec.deflater.reset();
      this.#queue.appendShared(frame, size);
    };
    const frame = message.deflated(codec);
    if (frame instanceof Uint8Array) append(frame);
    else this.#work(size, frame, append);
  }

  /** Whatever is sent from now on waits for this message. */
  #work(size: number, work: Promise<Uint8Array>, append: (bytes: Uint8Array) => void): void {
    this.#waitingSize += size;
    this.#deflating = work.then((bytes) => {
      if (this.#isAbandoned) return;
      this.#deflating = null;
      this.#waitingSize -= size;
      append(bytes);
      this.#goOn();
    });
    this.#deflating.catch(() => {}); // the owner asks for it
  }

  #goOn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const message of waiting) {
      if (this.#deflating !== null) {
        this.#enqueue(message);
      } else if (message instanceof PreparedMessage) {
        this.#waitingSize -= message.size;
        this.#encodePrepared(message);
      } else if (message.opcode === Opcode.Close) {
        this.#append(Opcode.Close, message.payload, 0);
      } else {
        this.#waitingSize -= message.payload.length;
        this.#encode(message.opcode, message.payload, message.compress);
      }
    }
  }

  /** Encodes a short text; returns `false`, with nothing done, if it is not ASCII. */
  #tryAscii(text: string, compress: boolean | undefined): boolean {
    const { length } = text;
    if (length > MAX_ASCII || this.#deflating !== null) return false;
    if (this.#codec !== null && isWanted(this.#codec, length, compress)) return false;
    const mask = this.#nextMask(); // before: it is the caller's function, and the scratch is everybody's
    if (!encodeAscii(text)) return false;
    const size = headerSize(length, mask !== null) + length;
    const at = this.#queue.reserve(size, length);
    const { tail } = this.#queue;
    const start = writeHead(tail, at, FIN | Opcode.Text, length, mask);
    copyMasked(tail, start, asciiScratch, 0, length, mask ?? 0);
    return true;
  }

  #append(opcode: Opcode, payload: Uint8Array, counted: number, rsv: number = 0): void {
    const mask = this.#nextMask();
    const size = headerSize(payload.length, mask !== null) + payload.length;
    if (size > MAX_WRITE_SIZE) return this.#appendLong(opcode, payload, mask, counted, rsv);
    const at = this.#queue.reserve(size, counted);
    writeFrame(this.#queue.tail, at, opcode, payload, mask, rsv);
  }

  /** A frame in pieces of the pool: each of them is one write. */
  #appendLong(
    opcode: Opcode,
    payload: Uint8Array,
    mask: number | null,
    counted: number,
    rsv: number,
  ): void {
    const queue = this.#queue;
    const { length } = payload;
    const head = headerSize(length, mask !== null);
    const at = queue.reserve(MAX_WRITE_SIZE, 0);
    const first = MAX_WRITE_SIZE - head;
    writeHead(queue.tail, at, FIN | (rsv << 4) | opcode, length, mask);
    copyMasked(queue.tail, at + head, payload, 0, first, mask ?? 0);
    for (let from = first; from < length; from += MAX_WRITE_SIZE) {
      const size = Math.min(length - from, MAX_WRITE_SIZE);
      const start = queue.reserve(size, from + size === length ? counted : 0, true);
      copyMasked(queue.tail, start, payload, from, size, rotateKey(mask ?? 0, from));
    }
  }

  /** Puts pongs, then our ping, in front of the messages that wait. */
  #flushControl(): void {
    if (this.#pongs === null && this.#ping === null) return;
    const pongs = this.#pongs ?? [];
    const frames = pongs.map((pong) => encodeFrame(Opcode.Pong, pong, this.#nextMask()));
    if (this.#ping !== null) frames.push(encodeFrame(Opcode.Ping, this.#ping, this.#nextMask()));
    this.#pongs = null;
    this.#ping = null;
    this.#queue.prepend(concat(frames));
  }

  #nextMask(): number | null {
    return this.#maskKey === null ? null : this.#maskKey();
  }
}

function sizeOf(message: Waiting): number {
  return message instanceof PreparedMessage ? message.size : message.payload.length;
}

/** Whether to compress a message of this size; an empty one could only grow. */
function isWanted(codec: MessageCodec, size: number, compress: boolean | undefined): boolean {
  return size > 0 && (compress ?? size >= codec.threshold);
}
