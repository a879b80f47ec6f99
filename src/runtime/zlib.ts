/**
 * Compression on Deno, Bun and Node: the fastest codecs that are correct on this runtime. Only the
 * modules named zlib import `node:zlib`.
 *
 * @module
 */

import type { CodecEngine, DeflateOptions, MessageInflater } from "./deflate.ts";
import { sharedHandles, syncEngine } from "./zlib_sync.ts";
import { streamEngine } from "./zlib_stream.ts";

let chosen: CodecEngine | null = null;

/**
 * The codecs to use: those on handles if they pass a test of what they are needed for, else those
 * on documented streams. Tested at the first call.
 */
export function codecEngine(): CodecEngine {
  return chosen ??= passesSelfTest(syncEngine) ? syncEngine : streamEngine;
}

/** Codecs' handles in existence, those that wait for their next message included. */
export function openHandles(): number {
  return sharedHandles.open;
}

/** Frees what waits for its next message. */
export function freeIdleHandles(): void {
  sharedHandles.drain();
}

/**
 * Bytes that a compressor with a context of its own holds: zlib's own figure, but for the tables,
 * which in the variants that the runtimes use take 128 KiB even at small `memLevel`s.
 */
export function deflaterSize({ windowBits, memLevel }: DeflateOptions): number {
  const tables = Math.max(1 << (memLevel + 9), 131_072);
  return (1 << (Math.max(9, windowBits) + 2)) + tables + 6144;
}

/** Bytes that an inflater with a context of its own holds (zlib's own figure). */
export function inflaterSize(windowBits: number): number {
  return (1 << Math.max(9, windowBits)) + 10_240;
}

const HELLO = Uint8Array.of(0x48, 0x65, 0x6c, 0x6c, 0x6f);

/** "Hello" compressed, and again with a reference to the first one (RFC 7692 section 7.2.3.2). */
const DEFLATED = [
  Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00),
  Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00),
];

/**
 * Whether an engine works at once and right: two messages with context takeover both ways, an empty
 * one, one with BFINAL, what is not DEFLATE, a reference out of reach, a limit.
 */
export function passesSelfTest(engine: CodecEngine): boolean {
  try {
    return deflates(engine) && inflates(engine) && fails(engine);
  } catch {
    return false;
  }
}

const turn = (): Promise<void> => Promise.resolve();

function deflates(engine: CodecEngine): boolean {
  const options = { level: 6, windowBits: 15, memLevel: 8, keepsContext: true, turn };
  const deflater = engine.createDeflater(options);
  const isRight = [HELLO, HELLO, HELLO.subarray(5)].every((message, i) => {
    const bytes = deflater.deflate(message);
    if (bytes instanceof Uint8Array) return i === 2 || isEqual(bytes, DEFLATED[i]);
    bytes.catch(() => {}); // a codec that is not ready at once is not chosen
    return false;
  });
  deflater.close();
  return isRight;
}

function inflates(engine: CodecEngine): boolean {
  const inflater = createInflater(engine, true);
  const final = Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00);
  const isRight =
    [...DEFLATED, final, DEFLATED[0]].every((bytes) => isEqual(inflate(inflater, bytes), HELLO)) &&
    inflate(inflater, Uint8Array.of(0)).length === 0;
  inflater.close();
  return isRight;
}

function fails(engine: CodecEngine): boolean {
  return [Uint8Array.of(0xff, 0xff, 0xff, 0xff), DEFLATED[1], DEFLATED[0].subarray(0, 3)].every(
    (bytes) => {
      const inflater = createInflater(engine, false);
      try {
        inflate(inflater, bytes);
        return false;
      } catch {
        return true;
      } finally {
        inflater.close();
      }
    },
  );
}

function createInflater(engine: CodecEngine, keepsContext: boolean): MessageInflater {
  return engine.createInflater({ windowBits: 15, keepsContext, turn });
}

function inflate(inflater: MessageInflater, bytes: Uint8Array): Uint8Array {
  const pieces: number[] = [];
  const work = inflater.inflate(bytes, true, (piece) => pieces.push(...piece));
  if (work !== undefined) {
    work.catch(() => {});
    return new Uint8Array(1);
  }
  return Uint8Array.from(pieces);
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
