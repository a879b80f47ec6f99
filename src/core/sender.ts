/**
 * The way out: messages and control frames → bytes to write (RFC 6455 sections 5.1 to 5.6).
 * Messages and the Close frame leave in call order; pings and pongs go ahead of messages that wait.
 *
 * @module
 */

import { ByteQueue } from "./byte_queue.ts";
import { concat } from "./bytes.ts";
import { encodeClose } from "./close.ts";
import { headerSize, MAX_CONTROL_PAYLOAD, Opcode, writeHeader } from "./frame.ts";
import { applyMask } from "./mask.ts";
import { encodeUtf8 } from "./utf8.ts";

/** A message encoded once for many connections; for servers, since clients mask each frame anew. */
export interface PreparedMessage {
  /** The whole frame. */
  readonly frame: Uint8Array;
  /** Bytes of its payload. */
  readonly size: number;
}

/**
 * Encodes a message once for any number of server connections. Throws a `TypeError` if it is
 * neither a string nor a `Uint8Array`.
 *
 * @example
 * ```ts
 * import { prepareMessage } from "@twoway/websocket/core";
 * prepareMessage("hi").frame; // 81 02 68 69
 * ```
 */
export function prepareMessage(message: string | Uint8Array): PreparedMessage {
  const payload = toPayload(message);
  const frame = encodeFrame(messageOpcode(message), payload, null);
  return { frame, size: payload.length };
}

/** What a {@linkcode Sender} needs to know. */
export interface SenderOptions {
  /** Gives a fresh masking key for each frame (client); `null` sends unmasked (server). */
  readonly maskKey: (() => number) | null;
  /** The most pongs that wait to be written. */
  readonly maxPendingPongs: number;
}

/** Encodes frames into a queue of bytes. */
export class Sender {
  readonly #maskKey: (() => number) | null;
  readonly #maxPendingPongs: number;
  readonly #queue = new ByteQueue();
  #pongs: Uint8Array[] = [];
  #ping: Uint8Array | null = null;
  #closeSent = false;

  constructor({ maskKey, maxPendingPongs }: SenderOptions) {
    this.#maskKey = maskKey;
    this.#maxPendingPongs = maxPendingPongs;
  }

  /** Whether the Close frame has been queued: nothing can follow it. */
  get closeSent(): boolean {
    return this.#closeSent;
  }

  /** Message bytes queued and not yet reported as written, without framing. */
  get bufferedAmount(): number {
    return this.#queue.payloadSize;
  }

  /** Queues a message; its bytes are copied. */
  message(message: string | Uint8Array): void {
    this.#checkOpen();
    const payload = toPayload(message);
    this.#append(messageOpcode(message), payload, payload.length);
  }

  /** Queues a frame that other connections send, too. */
  prepared({ frame, size }: PreparedMessage): void {
    this.#checkOpen();
    // "A client MUST mask all frames that it sends to the server" (5.1), each with a fresh key
    if (this.#maskKey !== null) throw new TypeError("Cannot send: a client masks each frame anew");
    this.#queue.appendShared(frame, size);
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
    if (this.#closeSent) return;
    if (this.#pongs.length >= this.#maxPendingPongs) this.#pongs.pop();
    this.#pongs.push(new Uint8Array(payload));
  }

  /** Queues the Close frame; throws as {@linkcode encodeClose} does. */
  close(code?: number, reason?: string): void {
    const payload = encodeClose(code, reason);
    // A second Close frame is legal but useless, so we send one.
    if (this.#closeSent) return;
    this.#closeSent = true;
    this.#append(Opcode.Close, payload, 0);
  }

  /** Whether there is something to write. */
  get hasOutput(): boolean {
    return !this.#queue.isEmpty || this.#pongs.length > 0 || this.#ping !== null;
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

  #checkOpen(): void {
    if (this.#closeSent) throw new TypeError("Cannot send: a Close frame has been sent");
  }

  #append(opcode: Opcode, payload: Uint8Array, counted: number): void {
    const mask = this.#nextMask();
    const size = headerSize(payload.length, mask !== null) + payload.length;
    const at = this.#queue.reserve(size, counted);
    writeFrame(this.#queue.tail, at, opcode, payload, mask);
  }

  /** Puts pongs, then our ping, in front of the messages that wait. */
  #flushControl(): void {
    if (this.#pongs.length === 0 && this.#ping === null) return;
    const frames = this.#pongs.map((pong) => encodeFrame(Opcode.Pong, pong, this.#nextMask()));
    if (this.#ping !== null) frames.push(encodeFrame(Opcode.Ping, this.#ping, this.#nextMask()));
    this.#pongs = [];
    this.#ping = null;
    this.#queue.prepend(concat(frames));
  }

  #nextMask(): number | null {
    return this.#maskKey === null ? null : this.#maskKey();
  }
}

function messageOpcode(message: string | Uint8Array): Opcode {
  return typeof message === "string" ? Opcode.Text : Opcode.Binary;
}

function toPayload(message: string | Uint8Array): Uint8Array {
  if (typeof message === "string") return encodeUtf8(message);
  checkBytes(message);
  return message;
}

/** The values of other arrays would be cut to bytes, and what is no array would be sent as empty. */
function checkBytes(bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`Cannot send: ${Object.prototype.toString.call(bytes)} is not a Uint8Array`);
}

function encodeFrame(opcode: Opcode, payload: Uint8Array, mask: number | null): Uint8Array {
  const frame = new Uint8Array(headerSize(payload.length, mask !== null) + payload.length);
  writeFrame(frame, 0, opcode, payload, mask);
  return frame;
}

function writeFrame(
  target: Uint8Array,
  at: number,
  opcode: Opcode,
  payload: Uint8Array,
  mask: number | null,
): void {
  const { length } = payload;
  const start = writeHeader(target, at, { fin: true, rsv: 0, opcode, mask, length });
  target.set(payload, start);
  if (mask !== null) applyMask(target.subarray(start, start + length), mask);
}
