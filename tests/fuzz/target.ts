/** What is fuzzed: a source of inputs, and what must hold for each of them. @module */

import type { Random } from "./random.ts";

/** One kind of input. */
export interface Target {
  readonly name: string;
  /** An input: from a grammar or a table, most often with something wrong. */
  generate(random: Random): Uint8Array;
  /** Throws if the library does with the input what it must not. */
  check(input: Uint8Array, random: Random): void | Promise<void>;
}

/** What went wrong, and with what. */
export interface Fault {
  readonly target: string;
  readonly seed: number;
  /** As small as it could be made. */
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** Throws unless `condition` holds. */
export function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

/** Latin-1 text as bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Bytes as Latin-1 text. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
