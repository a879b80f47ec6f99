/**
 * Fuzzes what reads and writes the protocol: seeded inputs, of which none may lead to an error that
 * is not documented, to events that depend on how bytes are cut, or to output that an independent
 * reader does not accept.
 *
 * ```sh
 * deno task fuzz [target]... [--seconds 60] [--seed 1] [--replay target:seed]
 * ```
 *
 * Runs on Bun and Node, too: `bun scripts/fuzz.ts`, `node scripts/fuzz.ts`.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { fuzzOne, TARGETS } from "../tests/fuzz/fuzz.ts";
import type { Fault, Target } from "../tests/fuzz/target.ts";

/** Faults of one target after which the next one has its turn. */
const MAX_FAULTS = 5;

async function fuzz(target: Target, seconds: number, firstSeed: number): Promise<Fault[]> {
  const started = performance.now();
  const faults: Fault[] = [];
  let seed = firstSeed;
  while (performance.now() - started < seconds * 1000 && faults.length < MAX_FAULTS) {
    const fault = await fuzzOne(target, seed++);
    if (fault === null) continue;
    faults.push(fault);
    describe(fault);
  }
  const took = (performance.now() - started) / 1000;
  const runs = seed - firstSeed;
  console.log(
    `${target.name}: ${runs} inputs from seed ${firstSeed} in ${took.toFixed(0)} s ` +
      `(${Math.round(runs / took)} per second), ${faults.length} faults`,
  );
  return faults;
}

function describe({ target, seed, input, error }: Fault): void {
  const hex = Array.from(input, (byte) => byte.toString(16).padStart(2, "0")).join("");
  console.log(`\n${target}: ${error instanceof Error ? error.stack : error}`);
  console.log(`  ${input.length} bytes: ${hex}`);
  console.log(`  deno task fuzz --replay ${target}:${seed}\n`);
}

function find(name: string): Target {
  const target = TARGETS.find((target) => target.name === name);
  if (target !== undefined) return target;
  const known = TARGETS.map(({ name }) => name).join(", ");
  throw new TypeError(`There is no target "${name}": known are ${known}`);
}

async function replay(text: string): Promise<number> {
  const [name, seed] = text.split(":");
  const fault = await fuzzOne(find(name), Number(seed));
  if (fault !== null) describe(fault);
  else console.log("no fault");
  return fault === null ? 0 : 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      replay: { type: "string" },
    },
  });
  if (values.replay !== undefined) return await replay(values.replay);
  const targets = positionals.length === 0 ? TARGETS : positionals.map(find);
  // Seeds that no earlier run has had, unless one is asked for.
  const seed = Number(values.seed ?? Math.floor(Date.now() / 1000) * 10_000);
  let count = 0;
  for (const target of targets) {
    count += (await fuzz(target, Number(values.seconds), seed)).length;
  }
  return count === 0 ? 0 : 1;
}

process.exitCode = await main();
