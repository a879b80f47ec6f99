/**
 * The way in: bytes → frames → messages and control payloads, with every rule for the receiving
 * side of RFC 6455 sections 5.1 to 5.6 and of RFC 7692 section 6.2. A broken rule is thrown; protocol.ts catches it.
 *
 * @module
 */

import { type ClosePayload, decodeClose } from "./close.ts";
import { ProtocolError } from "./errors.ts";
import {
  type DecodedHeader,
  emptyHeader,
  isControl,
  MAX_HEADER_SIZE,
  type MutableHeader,
  Opcode,
  readHeader,
  RSV1,
} from "./frame.ts";
import { Inflation } from "./inflation.ts";
import { applyMask } from "./mask.ts";
import {
  type Message,
  MessageAssembler,
  type MessageLimits,
  type MessageOpcode,
} from "./message.ts";
import type { Inflater } from "./permessage_deflate.ts";
import { readWindow } from "./read_window.ts";
import { shortHeaderSize, shortKey, shortLength, WHOLE_BINARY, WHOLE_TEXT } from "./short_frame.ts";
import { TextBatch } from "./text_batch.ts";

/**
 * Which end of the connection this is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Protocol, type Role } from "@twoway/websocket/core";
 *
 * const limits = { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 1 };
 * const maskKey = () => crypto.getRandomValues(new Uint32Array(1))[0];
 * const create = (role: Role) =>
 *   new Protocol(role === "server" ? { role, limits } : { role, limits, maskKey });
 * assertEquals(create("client").role, "client");
 * ```
 */
export type Role = "client" | "server";

/**
 * What frames amount to once they are complete.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Protocol, type Received } from "@twoway/websocket/core";
 *
 * const limits = { maxMessageSize: 100, maxFragments: 10, maxPendingPongs: 1 };
 * const server = new Protocol({ role: "server", limits });
 * server.receive(Uint8Array.of(0x89, 0x80, 0, 0, 0, 0, 0x88, 0x80, 0, 0, 0, 0));
 * const received: Received["type"][] = [];
 * for (let event = server.next(); event !== null; event = server.next()) {
 *   if (event.type !== "error") received.push(event.type);
 * }
 * assertEquals(received, ["ping", "close"]);
 * ```
 */
export type Received =
  | { readonly type: "message"; readonly data: Message }
  | { readonly type: "ping" | "pong"; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly type: "close" } & ClosePayload;

const NOTHING = new Uint8Array(0);

/** The header last read by anybody: most frames are done with before the next one is. */
const header: MutableHeader = emptyHeader();

const texts = new TextBatch();

/** Reads frames from bytes that are cut anywhere. */
export class Receiver {
  readonly #role: Role;
  readonly #assembler: MessageAssembler;
  /** `null` where permessage-deflate has not been agreed on. */
  readonly #inflation: Inflation | null;

  /** The bytes last received; consumed up to `#at`. */
  #input: Uint8Array = NOTHING;
  #at = 0;
  /** The beginning of a header whose end has not arrived. */
  #headerPart: Uint8Array | null = null;
  #headerPartSize = 0;
  /** The frame whose payload is coming in, and how much of it is missing. */
  #frame: DecodedHeader | null = null;
  #missing = 0;
  /** The assembler knows of the frame, whose payload comes in pieces. */
  #isAnnounced = false;
  /** Collects the payload of a control frame. */
  #control: Uint8Array<ArrayBuffer> | null = null;
  /** The message that is coming in is compressed. */
  #isCompressed = false;

  constructor(role: Role, limits: MessageLimits, inflater: Inflater | null = null) {
    this.#role = role;
    this.#assembler = new MessageAssembler(limits);
    this.#inflation = inflater && new Inflation(inflater, this.#assembler);
  }

  /** Whether received bytes wait for {@linkcode Receiver.next}, or are being inflated. */
  get hasInput(): boolean {
    if (this.#at < this.#input.length) return true;
    const inflation = this.#inflation;
    return inflation !== null && (inflation.work !== null || inflation.isDue);
  }

  /** Settles when there is something to do again; `null` if the inflater does not work. */
  get inflating(): Promise<void> | null {
    return this.#inflation === null ? null : this.#inflation.work;
  }

  /** Adds received bytes; borrowed, and maybe changed in place, until `next()` has returned `null`. */
  receive(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#at = 0;
    texts.renew(bytes);
    readWindow.renew(bytes);
  }

  /**
   * The next complete message or control frame; `null` if more bytes are needed, or while the
   * inflater works.
   */
  next(): Received | null {
    const received = this.#next();
    this.#releaseInput();
    return received;
  }

  #next(): Received | null {
    const inflation = this.#inflation;
    if (inflation === null) return this.#readFrames();
    if (inflation.work !== null) return null;
    const received = inflation.isDue ? this.#completeInflated(inflation) : null;
    return received ?? this.#readFrames();
  }

  /**
   * The next message, if what comes next is a short frame, all of which is there. `null`, with nothing
   * taken, for all that goes the usual way, {@linkcode Receiver.next}: other frames, what breaks a rule,
   * and texts that are not ASCII or come together with such.
   */
  nextShort(): Message | null {
    if (this.#frame !== null || this.#headerPart !== null) return null;
    const input = this.#input;
    const at = this.#at;
    const first = input[at];
    if (first !== WHOLE_TEXT && first !== WHOLE_BINARY) return null;
    const isMasked = this.#role === "server";
    const length = shortLength(input, at, isMasked);
    if (length < 0 || !this.#assembler.takesWhole(length)) return null;
    const start = at + shortHeaderSize(isMasked);
    const key = isMasked ? shortKey(input, at) : null;
    const message = first === WHOLE_TEXT
      ? texts.take(input, start, length, key)
      : readWindow.unmask(input, start, length, key ?? 0);
    if (message === null) return null;
    this.#at = start + length;
    this.#releaseInput();
    return message;
  }

  #readFrames(): Received | null {
    while (this.#frame !== null || this.#readHeader()) {
      const received = this.#readPayload(this.#frame!);
      if (received !== null) return received;
      if (this.#frame === null) continue;
      // Its end has not arrived, and the next header anybody reads must not take its place.
      if (this.#frame === header) this.#frame = { ...header };
      break;
    }
    return null;
  }

  /** Idle connections keep no read buffers alive. */
  #releaseInput(): void {
    if (this.#at < this.#input.length) return;
    this.#input = NOTHING;
    this.#at = 0;
  }

  /** Forgets everything received. */
  discard(): void {
    this.#assembler.discard();
    this.#frame = null;
    this.#control = null;
    this.#headerPart = null;
    this.#inflation?.discard();
    this.receive(NOTHING);
  }

  #readHeader(): boolean {
    const part = this.#headerPart;
    const isComplete = part === null
      ? readHeader(header, this.#input, this.#at, this.#input.length)
      : this.#completeHeader(part);
    if (!isComplete) {
      if (this.hasInput) this.#keepHeaderPart();
      return false;
    }
    if (part === null) this.#at += header.size;
    this.#headerPart = null;
    this.#check(header);
    this.#frame = header;
    this.#missing = header.length;
    this.#isAnnounced = false;
    return true;
  }

  #keepHeaderPart(): void {
    this.#headerPart = new Uint8Array(MAX_HEADER_SIZE);
    this.#headerPart.set(this.#input.subarray(this.#at));
    this.#headerPartSize = this.#input.length - this.#at;
    this.#at = this.#input.length;
  }

  /** Adds bytes one by one to a header that an earlier read began. */
  #completeHeader(part: Uint8Array): boolean {
    while (this.hasInput) {
      part[this.#headerPartSize++] = this.#input[this.#at++];
      if (readHeader(header, part, 0, this.#headerPartSize)) return true;
    }
    return false;
  }

  /** The rules that depend on the role, the extensions and the frames before. */
  #check({ mask, rsv, opcode }: DecodedHeader): void {
    if (this.#role === "server" && mask === null) {
      // "The server MUST close the connection upon receiving a frame that is not masked." (5.1)
      throw new ProtocolError("Frame from the client is not masked");
    }
    if (this.#role === "client" && mask !== null) {
      // "A client MUST close a connection if it detects a masked frame." (5.1)
      throw new ProtocolError("Frame from the server is masked");
    }
    if ((rsv & ~this.#allowedBits(opcode)) !== 0) {
      throw new ProtocolError("A reserved bit is set that no extension has defined");
    }
    if (isControl(opcode)) return;
    if (opcode === Opcode.Continuation) {
      if (this.#assembler.isActive) return;
      throw new ProtocolError("Continuation frame without a message to continue");
    }
    if (this.#assembler.isActive) {
      // "The fragments of one message MUST NOT be interleaved between the fragments of another" (5.4)
      throw new ProtocolError("A new message begins before the last one is complete");
    }
  }

  // "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first
  // fragments of a data message." (RFC 7692 section 6.1)
  #allowedBits(opcode: Opcode): number {
    if (this.#inflation === null) return 0;
    return opcode === Opcode.Text || opcode === Opcode.Binary ? RSV1 : 0;
  }

  #readPayload(frame: DecodedHeader): Received | null {
    if (isControl(frame.opcode)) return this.#readControl(frame);
    if (frame.opcode !== Opcode.Continuation) this.#isCompressed = frame.rsv !== 0;
    if (this.#isCompressed) return this.#readCompressed(frame, this.#inflation!);
    const isWhole = !this.#isAnnounced && this.#input.length - this.#at >= frame.length;
    if (isWhole && frame.fin && frame.opcode !== Opcode.Continuation) {
      const data = this.#readWhole(frame);
      this.#frame = null;
      return { type: "message", data };
    }
    if (!this.#isAnnounced) this.#announce(frame);
    this.#assembler.push(this.#readPiece(frame));
    if (this.#missing > 0) return null;
    this.#frame = null;
    return frame.fin ? { type: "message", data: this.#assembler.finish() } : null;
  }

  /** A message in one frame, all of which is there. */
  #readWhole({ opcode, length, mask }: DecodedHeader): Message {
    const at = this.#at;
    this.#assembler.checkSize(length);
    this.#at += length;
    if (opcode === Opcode.Text) {
      const text = texts.take(this.#input, at, length, mask);
      if (text !== null) return text;
    }
    return this.#assembler.whole(opcode as MessageOpcode, this.#input, at, length, mask ?? 0);
  }

  #announce({ opcode, length }: DecodedHeader): void {
    this.#isAnnounced = true;
    if (opcode !== Opcode.Continuation) this.#assembler.begin(opcode as MessageOpcode);
    this.#assembler.announce(this.#isCompressed ? null : length);
  }

  #readCompressed(frame: DecodedHeader, inflation: Inflation): Received | null {
    if (!this.#isAnnounced) this.#announce(frame);
    else if (!this.hasInput) return null;
    const piece = this.#readPiece(frame);
    const isLast = frame.fin && this.#missing === 0;
    // A header alone must not cost an inflater's memory.
    const isDone = piece.length === 0 && !isLast || inflation.take(piece, isLast);
    return isDone ? this.#completePiece(frame, inflation) : null;
  }

  /** Goes on behind the piece that the inflater has worked on. */
  #completeInflated(inflation: Inflation): Received | null {
    inflation.complete();
    return this.#completePiece(this.#frame!, inflation);
  }

  #completePiece(frame: DecodedHeader, inflation: Inflation): Received | null {
    if (this.#missing > 0) return null;
    this.#frame = null;
    return frame.fin ? { type: "message", data: inflation.finish() } : null;
  }

  #readControl(frame: DecodedHeader): Received | null {
    this.#control ??= new Uint8Array(frame.length);
    const at = frame.length - this.#missing;
    this.#control.set(this.#readPiece(frame), at);
    if (this.#missing > 0) return null;
    const data = this.#control;
    this.#control = null;
    this.#frame = null;
    if (frame.opcode === Opcode.Close) return { type: "close", ...decodeClose(data) };
    return { type: frame.opcode === Opcode.Ping ? "ping" : "pong", data };
  }

  /** The part of the frame's payload that has arrived, unmasked in place. */
  #readPiece(frame: DecodedHeader): Uint8Array {
    const size = Math.min(this.#missing, this.#input.length - this.#at);
    const piece = this.#input.subarray(this.#at, this.#at + size);
    if (frame.mask !== null) applyMask(piece, frame.mask, frame.length - this.#missing);
    this.#at += size;
    this.#missing -= size;
    return piece;
  }
}
