/**
 * Times the codecs of the runtime that it runs on. Its argument is the list of settings; prints one
 * {@linkcode CodecResult} for each, as a line of JSON.
 *
 * @module
 */

import process from "node:process";
import { codecEngine } from "../../src/runtime/zlib.ts";
import { jsonMessages } from "./records.ts";

/** How to compress. */
export interface Setting {
  readonly level: number;
  readonly windowBits: number;
  readonly memLevel: number;
  readonly takeover: boolean;
}

/** What messages of one size come to. */
export interface SizeResult {
  /** The part of the bytes that is saved. */
  readonly saved: number;
  /** Microseconds to compress a message, and to inflate it. */
  readonly deflate: number;
  readonly inflate: number;
}

/** What a setting comes to, for messages of {@linkcode SIZES} bytes. */
export type CodecResult = readonly SizeResult[];

/** Sizes of messages, in bytes. */
export const SIZES: readonly number[] = [1024, 16_384];

/** Milliseconds for each measurement, warming up included. */
const TIME = 400;

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/**
 * Microseconds that a pass over all messages takes for each. The fastest pass counts: what makes
 * others slower is not the codec.
 */
function time(count: number, pass: () => void): number {
  let fastest = Infinity;
  const end = performance.now() + TIME;
  for (let at = performance.now(); at < end;) {
    pass();
    const now = performance.now();
    fastest = Math.min(fastest, now - at);
    at = now;
  }
  return fastest / count * 1000;
}

function measure(setting: Setting, size: number): SizeResult {
  const engine = codecEngine();
  const messages = jsonMessages(size, Math.ceil(204_800 / size)).map((text) =>
    new TextEncoder().encode(text)
  );
  const deflater = engine.createDeflater({ ...setting, keepsContext: setting.takeover, turn });
  const deflate = (bytes: Uint8Array): Uint8Array => deflater.deflate(bytes) as Uint8Array;
  const compressed = messages.map((bytes) => deflate(bytes).slice());
  const inflater = engine.createInflater({ ...setting, keepsContext: setting.takeover, turn });
  let inflated = 0;
  const inflateTime = time(messages.length, () => {
    for (const bytes of compressed) {
      inflater.inflate(bytes, true, (piece) => inflated += piece.length);
    }
  });
  if (inflated === 0 || inflated % (size * messages.length) !== 0) {
    throw new Error("Bytes are lost");
  }
  const result = {
    saved: 1 - compressed.reduce((sum, { length }) => sum + length, 0) / (size * messages.length),
    deflate: time(messages.length, () => messages.forEach(deflate)),
    inflate: inflateTime,
  };
  deflater.close();
  inflater.close();
  return result;
}

if (import.meta.main) {
  for (const setting of JSON.parse(process.argv[2]) as Setting[]) {
    console.log(JSON.stringify(SIZES.map((size) => measure(setting, size))));
  }
}
