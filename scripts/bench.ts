/**
 * Runs the benchmarks: all, or those named.
 *
 * ```sh
 * deno task bench [compression] [--runtime deno,bun,node] [--seconds 3] [--readme]
 * ```
 *
 * `--readme` also puts each report into README.md, between `<!-- bench:name -->` and the
 * `<!-- /bench:name -->` behind it.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { ROOT, type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";
import type { Benchmark } from "./bench/benchmark.ts";
import { compression } from "./bench/compression.ts";
import { installToolchain } from "./toolchain.ts";

const BENCHMARKS: readonly Benchmark[] = [compression];

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runtime: { type: "string", default: RUNTIMES.join(",") },
      seconds: { type: "string", default: "3" },
      readme: { type: "boolean", default: false },
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
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new RangeError(`--seconds is "${values.seconds}"`);
  return { runtimes, seconds, names: positionals, readme: values.readme };
}

async function writeReadme(name: string, report: string): Promise<void> {
  const path = `${ROOT}README.md`;
  const text = await Deno.readTextFile(path);
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`README.md has no place for the report "${name}"`);
  const rest = text.slice(to);
  await Deno.writeTextFile(path, `${text.slice(0, from)}${open}\n\n${report}\n\n${rest}`);
}

const { names, readme, ...options } = parse(Deno.args);
await installToolchain();
let isGood = true;
for (const benchmark of BENCHMARKS) {
  if (names.length > 0 && !names.includes(benchmark.name)) continue;
  const result = await benchmark.run(options);
  console.log(`\n${result.report}`);
  if (readme) await writeReadme(benchmark.name, result.report);
  isGood &&= result.isGood;
}
if (!isGood) Deno.exit(1);
