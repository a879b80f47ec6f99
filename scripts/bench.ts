/**
 * Runs the benchmarks: all, or those named.
 *
 * ```sh
 * deno task bench [speed] [compression] [--only TEXT] [--quick] [--seconds 3]
 *   [--runtime deno,bun,node] [--json] [--save]
 * ```
 *
 * `--only` leaves out what has no such text in its name; `--quick` measures for a short while: enough
 * to see that everything runs. Results are printed as tables, or with `--json` those of `speed` as JSON. `--save` puts
 * them into the benchmark's page, between `<!-- bench:name -->` and the `<!-- /bench:name -->` behind
 * it, and into its file. Ends with status 1 if a target was missed.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { ROOT, type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";
import type { Benchmark } from "./bench/benchmark.ts";
import { compression } from "./bench/compression.ts";
import { speed } from "./bench/speed.ts";
import { installToolchain } from "./toolchain.ts";

const BENCHMARKS: readonly Benchmark[] = [speed, compression];

/** Seconds of a round with `--quick`. */
const QUICK = 0.2;

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runtime: { type: "string", default: RUNTIMES.join(",") },
      seconds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
    },
  });
  const runtimes = values.runtime.split(",") as RuntimeName[];
  for (const name of runtimes) {
    if (!RUNTIMES.includes(name)) throw new TypeError(`There is no runtime "${name}"`);
  }
  for (const name of positionals) {
    if (!BENCHMARKS.some((bench) => bench.name === name)) {
      throw new TypeError(`There is no benchmark "${name}"`);
    }
  }
  const seconds = values.quick ? QUICK : Number(values.seconds);
  if (!(seconds > 0)) throw new RangeError(`--seconds is "${values.seconds}"`);
  const { only, json, save } = values;
  return { runtimes, seconds, only, names: positionals, json, save };
}

async function writeReport({ name, page }: Benchmark, report: string): Promise<void> {
  const path = `${ROOT}${page}`;
  const text = await Deno.readTextFile(path);
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the report "${name}"`);
  const rest = text.slice(to);
  await Deno.writeTextFile(path, `${text.slice(0, from)}${open}\n\n${report}\n\n${rest}`);
}

const { names, json, save, ...options } = parse(Deno.args);
await installToolchain();
let isGood = true;
for (const benchmark of BENCHMARKS) {
  if (names.length > 0 && !names.includes(benchmark.name)) continue;
  const outcome = await benchmark.run(options);
  const data = JSON.stringify(outcome.results, null, 2);
  console.log(json && outcome.results !== null ? data : `\n${outcome.report}`);
  if (save) {
    await writeReport(benchmark, outcome.report);
    if (benchmark.data !== undefined) {
      await Deno.writeTextFile(`${ROOT}${benchmark.data}`, `${data}\n`);
    }
  }
  isGood &&= outcome.isGood;
}
if (!isGood) Deno.exit(1);
