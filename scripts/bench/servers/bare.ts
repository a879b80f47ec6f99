/**
 * The least that a server in TypeScript can do about echoes: it reads frames, gives each message to a
 * function, or to a loop that awaits the next one and each answer, makes a frame of it, and answers a
 * whole read with one write. It has the library's fastest means for all of that, but none of its rules:
 * nothing is checked, limited, timed, closed or held back, a message is one frame, texts are short and
 * ASCII, and whoever sends anything else gets nonsense. Its first argument is the load, as in load.ts,
 * the second `iteration` or `handlers`.
 *
 * @module
 */

import process from "node:process";
import { asciiScratch, encodeAscii } from "../../../src/core/ascii.ts";
import { createBuffer } from "../../../src/core/buffer_pool.ts";
import { applyMask, copyMasked } from "../../../src/core/mask.ts";
import type { Message } from "../../../src/core/message.ts";
import { readWindow } from "../../../src/core/read_window.ts";
import { TextBatch } from "../../../src/core/text_batch.ts";
import { tuneCore } from "../../../src/tuning.ts";
import type { EchoLoad } from "../load.ts";
import { ACCEPTED } from "./accepted.ts";
import { listen, type Output, type Peer } from "./listen.ts";

/** A message of so many bytes gets its array when its header is there; shorter ones when all of it is. */
const LONG = 65_536;

const { size, inFlight }: EchoLoad = JSON.parse(process.argv[2]);
const isIterating = process.argv[3] === "iteration";
/** Room for the answers to all that can come in one read. */
const CAPACITY = Math.max(LONG, (size + 10) * inFlight);
/** Those that are not used now. */
const outputs: Output[] = [];
const batch = new TextBatch();
const SENT = Promise.resolve();

tuneCore();

/** A frame's header. */
interface Header {
  isText: boolean;
  length: number;
  key: number;
  /** Where the payload begins. */
  start: number;
}

/** The last one that was read. */
const header: Header = { isText: false, length: 0, key: 0, start: 0 };

/** Reads the header at `input[at]`; returns `false` if its end is not there. */
function readHeader(input: Uint8Array, at: number): boolean {
  const short = input[at + 1] & 0x7f;
  const start = at + (short < 126 ? 6 : short === 126 ? 8 : 14);
  if (start > input.length) return false;
  header.isText = input[at] === 0x81;
  header.length = short < 126
    ? short
    : short === 126
    ? (input[at + 2] << 8) | input[at + 3]
    : uint32(input, at + 6);
  header.key = uint32(input, start - 4) | 0;
  header.start = start;
  return true;
}

function uint32(bytes: Uint8Array, at: number): number {
  const word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  return word >>> 0;
}

/** Writes the header of an unmasked frame to `bytes[at]`; returns where the payload goes. */
function writeHeader(bytes: Uint8Array, at: number, isText: boolean, length: number): number {
  bytes[at++] = isText ? 0x81 : 0x82;
  if (length < 126) {
    bytes[at++] = length;
    return at;
  }
  const count = length < 65_536 ? 2 : 8;
  bytes[at++] = count === 2 ? 126 : 127;
  for (let i = count - 1; i >= 0; i--) bytes[at++] = i < 4 ? length >>> (8 * i) : 0;
  return at;
}

/** One connection. */
class BareSession implements Peer {
  readonly #write: (output: Output) => void;
  readonly #onMessage: (message: Message) => void;
  #isOpen = false;
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

  constructor(write: (output: Output) => void) {
    this.#write = write;
    this.#onMessage = isIterating
      ? (message) => this.#push(message)
      : (message) => void this.send(message);
    if (isIterating) void this.#run();
  }

  async #run(): Promise<void> {
    for await (const message of this) await this.send(message);
  }

  #push(message: Message): void {
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
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    this.#flush();
    return new Promise((resolve) => this.#resolve = resolve);
  }

  send(message: Message): Promise<void> {
    const { bytes, used } = this.#output ??= outputs.pop() ??
      { bytes: createBuffer(CAPACITY), used: 0 };
    const { length } = message;
    const isText = typeof message === "string";
    if (isText) encodeAscii(message);
    const at = writeHeader(bytes, used, isText, length);
    copyMasked(bytes, at, isText ? asciiScratch : message, 0, length, 0);
    this.#output.used = at + length;
    return SENT;
  }

  #flush(): void {
    const output = this.#output;
    if (output === null) return;
    this.#output = null;
    this.#write(output);
  }

  take(input: Uint8Array): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#write({ bytes: ACCEPTED, used: ACCEPTED.length });
      return;
    }
    if (this.#part !== null) {
      input = joined(this.#part, input);
      this.#part = null;
    }
    batch.renew(input);
    readWindow.renew(input);
    let at = this.#long === null ? 0 : this.#fill(this.#long, input);
    while (at < input.length) at = this.#takeFrame(input, at);
    if (!isIterating) this.#flush();
  }

  /** Takes the frame at `input[at]`, or what there is of it; returns where the next one begins. */
  #takeFrame(input: Uint8Array, at: number): number {
    const isRead = readHeader(input, at);
    const { isText, length, key, start } = header;
    const end = start + length;
    if (isRead && end <= input.length) {
      const message = isText
        ? batch.take(input, start, length, key)!
        : readWindow.unmask(input, start, length, key);
      this.#onMessage(message);
      return end;
    }
    if (!isRead || length < LONG) {
      this.#part = input.slice(at);
      return input.length;
    }
    this.#long = new Uint8Array(length);
    this.#key = key;
    this.#filled = 0;
    return start + this.#fill(this.#long, input.subarray(start));
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

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

const port = await listen({
  readSize: 262_144,
  create: (write) => new BareSession(write),
  written(output) {
    if (output.bytes === ACCEPTED) return;
    output.used = 0;
    outputs.push(output);
  },
});
console.log(port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
