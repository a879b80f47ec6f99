/**
 * How this runtime masks fastest.
 *
 * @module
 */

import { runtimeName } from "./runtime/mod.ts";

/** Whether words of 64 bits are worth it: Deno and Node run on V8, Bun on JavaScriptCore. */
export const hasWideWords: boolean = runtimeName !== "bun";
