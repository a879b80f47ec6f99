/** What a benchmark is; `scripts/bench.ts` runs those in its list. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";

/** How to run a benchmark. */
export interface BenchOptions {
  /** Where our side runs. */
  readonly runtimes: readonly RuntimeName[];
  /** How long one round of one measurement takes. */
  readonly seconds: number;
}

/** Something worth measuring. */
export interface Benchmark {
  /** Its name on the command line. */
  readonly name: string;
  /** Measures, and returns the result in Markdown; `isGood` says whether every target was met. */
  run(options: BenchOptions): Promise<{ report: string; isGood: boolean }>;
}

/** A table in Markdown; every column but the first is aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => i === 0 ? "---" : "---:");
  return [head, rule, ...rows].map(line).join("\n");
}

/** The middle one; of an even number the lower of both. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1];
}

/** With a space between thousands. */
export function count(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}
