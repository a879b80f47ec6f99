/** What a benchmark is; `scripts/bench.ts` runs those in its list. @module */

import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import process from "node:process";
import { executable, type RuntimeName } from "../../tests/toolchain.ts";

/** How to run a benchmark. */
export interface BenchOptions {
  /** Where our side runs. */
  readonly runtimes: readonly RuntimeName[];
  /** How long one round of one measurement takes. */
  readonly seconds: number;
  /** Part of the names of what is measured; empty for everything. */
  readonly only: string;
}

/** Something worth measuring. */
export interface Benchmark {
  /** Its name on the command line. */
  readonly name: string;
  /** The page with a place for its report. */
  readonly page: string;
  /** The file for its results. @default {none} */
  readonly data?: string;
  /** Measures; `isGood` says whether every target was met. */
  run(options: BenchOptions): Promise<BenchOutcome>;
}

/** What came of a benchmark. */
export interface BenchOutcome {
  /** Markdown. */
  readonly report: string;
  /** The same as data; `null` where there is only the report. */
  readonly results: object | null;
  readonly isGood: boolean;
}

/** The machine and the runtimes' versions. */
export function describeMachine(runtimes: readonly RuntimeName[]): string {
  const versions = runtimes.map((runtime) => {
    const { stdout } = spawnSync(executable(runtime), ["--version"], { encoding: "utf8" });
    return `${runtime} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "of an unknown version"}`;
  });
  const cores = cpus();
  return `${process.platform} ${process.arch}, ${cores.length} cores ` +
    `(${cores[0]?.model.trim()}), with ${versions.join(", ")}`;
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
