/**
 * The least that a session in TypeScript can do about messages, for bare.ts: it reads frames, gives each
 * message to a function, or to a loop that awaits the next one and each answer, makes a frame of what is
 * sent, and writes the answers to a read at once. Two promises of the library's it does keep: a message is
 * its receiver's alone, and what is sent is taken as it is at the call, so each is copied twice. For that it
 * has the library's own means. But nothing is checked, limited, timed, closed or held back, a message is
 * one frame, texts are short and ASCII, and whoever sends anything else gets nonsense.
 *
 * @module
 */

import { asciiScratch, encodeAscii } from "../../../src/core/ascii.ts";
import { concat } from "../../../src/core/bytes.ts";
import { headerSize, writeHead } from "../../../src/core/frame.ts";
import { applyMask, copyMasked } from "../../../src/core/mask.ts";
import type { Message } from "../../../src/core/message.ts";
import { readWindow } from "../../../src/core/read_window.ts";
import { shortHeaderSize, shortKey, shortLength } from "../../../src/core/short_frame.ts";
import { TextBatch } from "../../../src/core/text_batch.ts";
import type { Output, Peer } from "./peer.ts";

const TEXT = 0x81;
const BINARY = 0x82;

/** A message of so many bytes gets its array when its header is there; a shorter one when all of it is. */
const LONG = 1024;

const batch = new TextBatch();
const SENT = Promise.resolve();

/** What a session is made of. */
export interface BareInit {
  /** Gives room for answers, all of it free: as much as the longest read asks for. */
  readonly take: () => Output;
  readonly write: (output: Output) => void;
  /** Whether a loop takes the messages, or a function. */
  readonly isIterating: boolean;
}

/** One connection behind its handshake; sends every message back. */
export class BareSession implements Peer {
  readonly #init: BareInit;
  /** What has been sent and not written. */
  #output: Output | null = null;
  /** The beginning of a frame whose end has not come. */
  #part: Uint8Array | null = null;
  /** The long message that is coming in, with its masking key, and how much of it has come. */
  #long: Uint8Array<ArrayBuffer> | null = null;
  #key = 0;
  #filled = 0;
  /** For the loop: what waits for it, and how it waits. */
  readonly #messages: Message[] = [];
  #resolve: ((result: IteratorResult<Message>) => void) | null = null;

  constructor(init: BareInit) {
    this.#init = init;
    if (init.isIterating) void this.#run();
  }

  async #run(): Promise<void> {
    for await (const message of this) await this.send(message);
  }

  #onMessage(message: Message): void {
    if (!this.#init.isIterating) {
      void this.send(message);
      return;
    }
    const resolve = this.#resolve;
    if (resolve === null) {
      this.#messages.push(message);
      return;
    }
    this.#resolve = null;
    resolve({ done: false, value: message });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message>> {
    if (this.#messages.length > 0) {
      return Promise.resolve({ done: false, value: this.#messages.shift()! });
    }
    this.#flush();
    return new Promise((resolve) => this.#resolve = resolve);
  }

  send(message: Message): Promise<void> {
    const output = this.#output ??= this.#init.take();
    const { bytes, used } = output;
    const { length } = message;
    output.used += headerSize(length, false) + length;
    if (typeof message === "string") {
      encodeAscii(message);
      copyMasked(bytes, writeHead(bytes, used, TEXT, length, null), asciiScratch, 0, length, 0);
    } else copyMasked(bytes, writeHead(bytes, used, BINARY, length, null), message, 0, length, 0);
    return SENT;
  }

  #flush(): void {
    const output = this.#output;
    if (output === null) return;
    this.#output = null;
    this.#init.write(output);
  }

  take(input: Uint8Array): void {
    if (this.#part !== null) {
      input = concat([this.#part, input]);
      this.#part = null;
    }
    batch.renew(input);
    readWindow.renew(input);
    let at = this.#long === null ? 0 : this.#fill(this.#long, input);
    while (at < input.length) at = this.#takeFrame(input, at);
    if (!this.#init.isIterating) this.#flush();
  }

  /** Takes the frame at `input[at]`, or what there is of it; returns where the next one begins. */
  #takeFrame(input: Uint8Array, at: number): number {
    const length = shortLength(input, at, true);
    if (length < 0) return this.#takeLong(input, at);
    const start = at + shortHeaderSize(true);
    this.#onMessage(payloadOf(input, at, start, length, shortKey(input, at)));
    return start + length;
  }

  /** The same for any frame. */
  #takeLong(input: Uint8Array, at: number): number {
    const left = input.length - at;
    const short = input[at + 1] & 0x7f;
    const size = short < 126 ? 6 : short === 126 ? 8 : 14;
    if (left < size) return this.#keep(input, at);
    const length = short < 126
      ? short
      : short === 126
      ? uint32(input, at) & 0xffff
      : uint32(input, at + 6);
    const start = at + size;
    const key = uint32(input, start - 4) | 0;
    if (left >= size + length) {
      this.#onMessage(payloadOf(input, at, start, length, key));
      return start + length;
    }
    if (length < LONG) return this.#keep(input, at);
    this.#long = new Uint8Array(length);
    this.#key = key;
    this.#filled = 0;
    return start + this.#fill(this.#long, input.subarray(start));
  }

  /** Waits for the rest of a frame. */
  #keep(input: Uint8Array, at: number): number {
    this.#part = new Uint8Array(input.subarray(at)); // slice() of a Buffer is a view
    return input.length;
  }

  /** Adds to the long message what has come of it; returns how much. */
  #fill(long: Uint8Array<ArrayBuffer>, input: Uint8Array): number {
    const piece = input.subarray(0, long.length - this.#filled);
    applyMask(piece, this.#key, this.#filled);
    long.set(piece, this.#filled);
    this.#filled += piece.length;
    if (this.#filled === long.length) {
      this.#long = null;
      this.#onMessage(long);
    }
    return piece.length;
  }

  left(): void {}
}

/** The message in the frame at `input[at]`, whose payload begins at `start`. */
function payloadOf(
  input: Uint8Array,
  at: number,
  start: number,
  length: number,
  key: number,
): Message {
  return input[at] === TEXT
    ? batch.take(input, start, length, key)!
    : readWindow.unmask(input, start, length, key);
}

function uint32(bytes: Uint8Array, at: number): number {
  const word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  return word >>> 0;
}
