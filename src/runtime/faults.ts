/**
 * Bad luck with a seed: how a network may cut, delay, hold up and break a connection in memory.
 *
 * @module
 */

import type { MemoryOptions } from "./memory.ts";

/**
 * What may go wrong.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { faultScript, type FaultScriptOptions } from "@twoway/websocket/testing";
 *
 * const whole: FaultScriptOptions = { breaks: false }; // cuts and delays alone
 * for (let seed = 0; seed < 100; seed++) {
 *   assertEquals(faultScript(seed, whole).resetAfter, undefined);
 * }
 * ```
 */
export interface FaultScriptOptions {
  /** Whether reads get less than is there, and writers have to wait early. @default {true} */
  readonly cuts?: boolean;
  /** Waited for now and then before bytes are handed over; a clock's `turn`. @default {no delays} */
  readonly turn?: () => Promise<void>;
  /** Whether the connection may break, or one direction of it end, at some byte. @default {true} */
  readonly breaks?: boolean;
}

/** Numbers from 0 up to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    // A Weyl sequence, scrambled (the finalizer of MurmurHash3).
    state = (state + 0x9e3779b9) | 0;
    let bits = state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 0x1_0000_0000;
  };
}

/**
 * A connection's fate: the same seed means the same cuts, delays and breaks.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect, serve } from "@twoway/websocket";
 * import { faultScript, MemoryListener } from "@twoway/websocket/testing";
 *
 * const listener = new MemoryListener();
 * const server = await serve({ listener }, (session) => session.send("x".repeat(10_000)));
 * for (let seed = 0; seed < 10; seed++) {
 *   const conn = listener.connect(faultScript(seed, { breaks: false }));
 *   const session = await connect("ws://test/", { conn });
 *   assertEquals(String(await session.receive()).length, 10_000); // in whatever pieces it came
 *   await session.close();
 * }
 * await server.shutdown();
 * ```
 */
export function faultScript(
  seed: number,
  { cuts = true, turn, breaks = true }: FaultScriptOptions = {},
): MemoryOptions {
  const random = seeded(seed);
  const size = (most: number): number => Math.floor(random() ** 4 * most);
  const isCut = cuts && random() < 0.7;
  const isSlow = turn !== undefined && random() < 0.5;
  const longest = 1 + size(100_000);
  return {
    highWaterMark: isCut ? 1 + size(65_536) : undefined,
    cut: isCut ? (available) => Math.min(available, 1 + Math.floor(random() * longest)) : undefined,
    delay: isSlow
      ? async () => {
        while (random() < 0.3) await turn();
      }
      : undefined,
    resetAfter: breaks && random() < 0.15 ? size(200_000) : undefined,
    endAfter: breaks && random() < 0.1 ? size(200_000) : undefined,
  };
}
