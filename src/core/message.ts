/**
 * Messages from payload pieces: size limit, fragment limit, UTF-8 and assembly. The one path of
 * every message that takes no shortcut (short_frame.ts).
 *
 * @module
 */

import { CloseCode } from "./close_code.ts";
import { ProtocolError } from "./errors.ts";
import { Opcode } from "./frame.ts";
import { readWindow } from "./read_window.ts";
import { decodeUtf8, Utf8Validator } from "./utf8.ts";

/**
 * A message: text as a string, binary as bytes that belong to the receiver alone.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Message } from "@twoway/websocket";
 *
 * const describe = (message: Message): string =>
 *   typeof message === "string" ? `text: ${message}` : `${message.length} bytes`;
 *
 * assertEquals(describe("hello"), "text: hello");
 * assertEquals(describe(Uint8Array.of(1, 2, 3)), "3 bytes");
 * ```
 */
export type Message = string | Uint8Array<ArrayBuffer>;

/**
 * What bounds a message on its way in.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type MessageLimits, Protocol } from "@twoway/websocket/core";
 *
 * const small: MessageLimits = { maxMessageSize: 1, maxFragments: 1 };
 * const server = new Protocol({ role: "server", limits: { ...small, maxPendingPongs: 1 } });
 * server.receive(Uint8Array.of(0x81, 0x82, 1, 2, 3, 4)); // 2 bytes are announced
 * const event = server.next();
 * assertEquals(event?.type === "error" && event.error.closeCode, 1009);
 * ```
 */
export interface MessageLimits {
  /** The longest message accepted, in bytes. Checked before buffering. */
  readonly maxMessageSize: number;
  /** The most frames that one message may come in, empty ones counted. */
  readonly maxFragments: number;
}

/** The opcode of a message's first frame. */
export type MessageOpcode = typeof Opcode.Text | typeof Opcode.Binary;

/** Less than this, in bytes, is not worth room for more: thousands may send the first piece and wait. */
const SMALL = 1024;

/** From so much on, in bytes, a message gets more room: who has sent that much sends the rest soon. */
const LARGE = 32_768;

/** The message that is coming in. */
interface Assembly {
  readonly opcode: MessageOpcode;
  /** Checks text piece by piece, so that it fails at its first impossible byte. */
  readonly utf8: Utf8Validator | null;
  buffer: Uint8Array<ArrayBuffer>;
  /** Bytes received. */
  size: number;
  /** Bytes received once the current frame is complete; the limit where that is not known. */
  announced: number;
  /** Whether `announced` is what will come, and not just the limit. */
  isCertain: boolean;
  fragments: number;
}

/** Turns the payloads of data frames into messages. */
export class MessageAssembler {
  readonly #limits: MessageLimits;
  /** Exists exactly while a message is incomplete. */
  #assembly: Assembly | null = null;

  constructor(limits: MessageLimits) {
    this.#limits = limits;
  }

  /** Whether a message has begun and is not complete. */
  get isActive(): boolean {
    return this.#assembly !== null;
  }

  /** Whether a message of so many bytes in one frame may come now. */
  takesWhole(length: number): boolean {
    return this.#assembly === null && length <= this.#limits.maxMessageSize;
  }

  /** A message in one frame whose payload, with its masking key, lies in `bytes` as a whole. */
  whole(
    opcode: MessageOpcode,
    bytes: Uint8Array,
    start: number,
    length: number,
    key: number,
  ): Message {
    if (opcode === Opcode.Text) return decodeUtf8(readWindow.unmaskOnce(bytes, start, length, key));
    return readWindow.unmask(bytes, start, length, key);
  }

  /** Begins a message; its first frame is announced with {@linkcode MessageAssembler.announce}. */
  begin(opcode: MessageOpcode): void {
    this.#assembly = {
      opcode,
      utf8: opcode === Opcode.Text ? new Utf8Validator() : null,
      buffer: new Uint8Array(0),
      size: 0,
      announced: 0,
      isCertain: false,
      fragments: 0,
    };
  }

  /** The next frame of the message will bring `length` bytes; `null` if it will not say how many. */
  announce(length: number | null): void {
    const assembly = this.#current();
    const total = length === null ? this.#limits.maxMessageSize : assembly.size + length;
    this.checkSize(total);
    assembly.fragments++;
    if (assembly.fragments > this.#limits.maxFragments) {
      throw new ProtocolError(
        `Message has more than ${this.#limits.maxFragments} fragments (limits.maxFragments)`,
        CloseCode.PolicyViolation,
      );
    }
    assembly.announced = total;
    assembly.isCertain = length !== null;
  }

  /** Takes a copy of the next bytes of the message. */
  push(bytes: Uint8Array): void {
    const assembly = this.#current();
    const size = assembly.size + bytes.length;
    this.checkSize(size);
    assembly.utf8?.push(bytes);
    if (size > assembly.buffer.length) grow(assembly, size);
    assembly.buffer.set(bytes, assembly.size);
    assembly.size = size;
  }

  /** The message is complete. */
  finish(): Message {
    const { utf8, buffer, size } = this.#current();
    this.#assembly = null;
    if (utf8 !== null) {
      utf8.finish();
      return decodeUtf8(buffer.subarray(0, size));
    }
    return size === buffer.length ? buffer : buffer.slice(0, size);
  }

  /** The message is complete and consists of these bytes alone, of which nothing was pushed. */
  finishWhole(bytes: Uint8Array): Message {
    const { opcode } = this.#current();
    this.#assembly = null;
    this.checkSize(bytes.length);
    return this.whole(opcode, bytes, 0, bytes.length, 0);
  }

  /** Forgets an incomplete message. */
  discard(): void {
    this.#assembly = null;
  }

  #current(): Assembly {
    if (this.#assembly === null) throw new TypeError("No message has begun");
    return this.#assembly;
  }

  /** Throws a {@linkcode ProtocolError} if a message may not be that long. */
  checkSize(size: number): void {
    if (size <= this.#limits.maxMessageSize) return;
    throw new ProtocolError(
      `Message is longer than ${this.#limits.maxMessageSize} bytes (limits.maxMessageSize)`,
      CloseCode.MessageTooBig,
    );
  }
}

/**
 * Makes room for `needed` bytes. A small first piece gets no more than that. A first frame then gets
 * 16 times what has come, but never more than it has announced: page by page, a new buffer costs more
 * than the copies. From {@linkcode LARGE} on it gets 32 times, since the first read of 1 MiB is often one
 * of 64 KiB, less its header. What is being inflated has announced nothing, and gets four times. Behind
 * the first frame the buffer doubles, so that many small fragments cost linear time.
 */
function grow(assembly: Assembly, needed: number): void {
  const { buffer, size } = assembly;
  assembly.buffer = new Uint8Array(capacityFor(assembly, needed));
  assembly.buffer.set(buffer.subarray(0, size));
}

function capacityFor(
  { buffer, fragments, announced, isCertain }: Assembly,
  needed: number,
): number {
  if (buffer.length === 0 && needed < SMALL) return needed;
  if (fragments > 1) return Math.max(needed, buffer.length * 2);
  const factor = !isCertain ? 4 : needed < LARGE ? 16 : 32;
  return Math.min(announced, needed * factor);
}
