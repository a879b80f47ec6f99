/**
 * What the core can't know of the runtime that it is on: which means of doing the same is the faster.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { useAsciiDecoder } from "./core/ascii.ts";
import { useWideWords } from "./core/mask_words.ts";
import { useLenientDecoder } from "./core/utf8.ts";
import { runtimeName } from "./runtime/mod.ts";

/** Sets the core up for this runtime; twice does no harm. */
export function tuneCore(): void {
  // Deno and Node run on V8, Bun on JavaScriptCore.
  useWideWords(runtimeName !== "bun");
  // The strict decoder of Deno takes two to eight times as long as the lenient one.
  useLenientDecoder(runtimeName === "deno");
  // All three have Buffer, and for short texts it beats their TextDecoder.
  useAsciiDecoder(({ buffer }) => {
    const bytes = Buffer.from(buffer);
    return (length) => bytes.toString("latin1", 0, length);
  });
}
