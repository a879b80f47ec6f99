/** Runs targets over seeds, and makes small what fails. @module */

import { clientDeflate, serverDeflate, streams } from "./deflate.ts";
import { clientFrames, serverFrames } from "./frames.ts";
import { requests, responses } from "./heads.ts";
import { Random } from "./random.ts";
import type { Fault, Target } from "./target.ts";
import { headers, utf8, values } from "./text.ts";

/** All targets. */
export const TARGETS: readonly Target[] = [
  requests,
  responses,
  serverFrames,
  clientFrames,
  streams,
  serverDeflate,
  clientDeflate,
  headers,
  utf8,
  values,
];

/** How long to go on making an input smaller, in runs. */
const MAX_REDUCTIONS = 3000;

/** Runs one seed; returns what went wrong, made small, or `null`. */
export async function fuzzOne(target: Target, seed: number): Promise<Fault | null> {
  const input = target.generate(new Random(seed));
  const error = await faultOf(target, seed, input);
  if (error === null) return null;
  const small = await reduce(target, seed, input);
  const why = await faultOf(target, seed, small);
  return { target: target.name, seed, input: small, error: (why ?? error).error };
}

async function faultOf(
  target: Target,
  seed: number,
  input: Uint8Array,
): Promise<{ error: unknown } | null> {
  try {
    await target.check(input.slice(), new Random(~seed));
    return null;
  } catch (error) {
    return { error };
  }
}

/** Leaves out parts, large ones first, as long as it still fails. */
async function reduce(target: Target, seed: number, input: Uint8Array): Promise<Uint8Array> {
  let small = input;
  let runs = 0;
  for (let size = input.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < small.length && runs < MAX_REDUCTIONS; runs++) {
      const shorter = Uint8Array.from([...small.subarray(0, at), ...small.subarray(at + size)]);
      if (await faultOf(target, seed, shorter) === null) at += size;
      else small = shorter;
    }
  }
  return small;
}
