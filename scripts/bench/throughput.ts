/** Our servers beside every runtime's usual one, under the same loads, in turns. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { type BenchOptions, count, table } from "./benchmark.ts";
import { Child } from "./children.ts";
import type { LoadResult } from "./load.ts";
import { type Contestant, type Group, GROUPS, type Load } from "./loads.ts";
import {
  bestOf,
  compare,
  type Comparison,
  medianOf,
  runRound,
  summarize,
  type Windows,
} from "./rounds.ts";

/** Each server is started and measured so many times; what counts is the middle of their ratios. */
export const ROUNDS = 5;

/** What came of one load on one server. */
export interface SpeedRow {
  readonly group: string;
  readonly load: string;
  readonly runtime: RuntimeName;
  readonly server: string;
  readonly unit: string;
  readonly result: LoadResult;
  /** To the best peer on the same runtime; `null` for peers, and without one. */
  readonly ratio: number | null;
  /** The lowest and the highest of it in a single round; `null` where it is. */
  readonly spread: Comparison["spread"] | null;
  /** The least ratio asked for. */
  readonly target: number | null;
  /**
   * What the ratio could be at most: that of a bare server, or of the sockets alone; `null` for others than
   * ours, and where that is not measured.
   */
  readonly most: number | null;
  /** The highest that this was in a single round. */
  readonly mostInRound: number | null;
  /** Microseconds of ours without a socket; `null` for others, and where that is not measured. */
  readonly alone: number | null;
  /**
   * Microseconds of processor time that the target leaves for ours beside what stands under it, negative if
   * that alone misses it; `null` without a target, and where that is not known.
   */
  readonly room: number | null;
  /** What ours takes of them, by its ratio; `null` where `room` is. */
  readonly own: number | null;
}

/** Measures the loads whose names, or whose group's, contain `only`. */
export async function measureThroughput(options: BenchOptions): Promise<SpeedRow[]> {
  const rows: SpeedRow[] = [];
  for (const group of GROUPS) {
    for (const load of group.loads) {
      if (!`${group.title}: ${load.name}`.includes(options.only)) continue;
      for (const runtime of options.runtimes) {
        rows.push(...await measure(group, load, runtime, options.seconds));
      }
    }
  }
  return rows;
}

async function measure(
  group: Group,
  load: Load,
  runtime: RuntimeName,
  seconds: number,
): Promise<SpeedRow[]> {
  const all = load.contestants(runtime);
  const rounds: Windows[][] = [];
  while (rounds.length < ROUNDS) {
    rounds.push(await runRound(load, all, runtime, seconds, rounds.length));
  }
  const runs = all.map((_, i) => rounds.map((round) => round[i]));
  const results = runs.map((windows) => medianOf(windows.map(summarize)));
  const peer = bestOf(results, (i) => all[i].kind === "peer");
  const compared = runs.map((windows) => peer === null ? null : compare(windows, runs[peer]));
  const names = { group: group.title, load: load.name, runtime, unit: load.unit };
  const rows: SpeedRow[] = [];
  for (const [i, one] of all.entries()) {
    const { name: server, kind, targets } = one;
    const under = kind === "ours" ? underOf(one, all) : -1;
    const bound = boundOf(compared[under], results[under], results[peer!]);
    const target = targets[runtime] ?? null;
    const comparison = kind === "peer" ? null : compared[i];
    const row = {
      ...names,
      server,
      result: results[i],
      ratio: comparison?.ratio ?? null,
      spread: comparison?.spread ?? null,
      target,
      ...bound,
      ...roomOf(results[under]?.cpu ?? null, bound.most, comparison?.ratio ?? null, target),
      alone: await aloneOf(one, load, runtime),
    };
    console.error([load.name, ...cells(row)].join("  "));
    rows.push(row);
  }
  return rows;
}

/** Which of all stands under ours: what takes messages as it does, else the first; -1 if none does. */
export function underOf({ api }: Contestant, all: readonly Contestant[]): number {
  const under = all.filter(({ kind }) => kind === "under");
  return all.indexOf(under.find((one) => one.api === api) ?? under[0]);
}

/** The part of its core from which on it may be the load that a server waits for. */
const BUSY = 0.9;

/** The ratio of what stands under ours; where the load holds it back, by processor time, if that is more. */
export function boundOf(
  comparison: Comparison | null | undefined,
  under: LoadResult,
  peer: LoadResult,
): Pick<SpeedRow, "most" | "mostInRound"> {
  if (!comparison) return { most: null, mostInRound: null };
  const { ratio, spread: [, highest] } = comparison;
  const isKnown = under.cpu !== null && peer.cpu !== null && under.load >= BUSY;
  const byTime = isKnown ? peer.cpu! / under.cpu! : 0;
  return { most: Math.max(ratio, byTime), mostInRound: Math.max(highest, byTime) };
}

/** What remains for ours over what has the ratio `most` and takes `cpu` microseconds, and what ours takes. */
export function roomOf(
  cpu: number | null,
  most: number | null,
  ratio: number | null,
  target: number | null,
): Pick<SpeedRow, "room" | "own"> {
  if (cpu === null || most === null || ratio === null || target === null) {
    return { room: null, own: null };
  }
  return { room: cpu * (most / target - 1), own: cpu * (most / ratio - 1) };
}

/** The microseconds of one message, delivery or handshake in our code without a socket. */
async function aloneOf(
  { kind, api = "handlers" }: Contestant,
  { work, connections }: Load,
  runtime: RuntimeName,
): Promise<number | null> {
  if (kind !== "ours" || work.kind === "echo" && work.compress) return null;
  const args = [JSON.stringify(work), `${connections}`, api];
  return await microseconds(runtime, "scripts/bench/alone.ts", ...args);
}

/** What a script measures, in a process of its own. */
async function microseconds(
  runtime: RuntimeName,
  script: string,
  ...args: string[]
): Promise<number> {
  const child = new Child({ runtime, script, args, core: 0 });
  try {
    return await child.value();
  } finally {
    await child.stop();
  }
}

const HEAD = [
  "runtime",
  "server",
  "ratio",
  "rounds",
  "target",
  "at most",
  "CPU µs",
  "alone µs",
  "p50 ms",
  "p99 ms",
];

function cells(row: SpeedRow): string[] {
  const { runtime, server, unit, result, ratio, spread, target, most, alone } = row;
  const asked = target === null ? "" : ratio! >= target ? `${target}` : `${target}, missed`;
  return [
    runtime,
    server,
    `${count(result.perSecond)} ${unit}`,
    ratio?.toFixed(2) ?? "",
    describeSpread(spread),
    asked,
    most?.toFixed(2) ?? "",
    result.cpu?.toFixed(2) ?? "",
    alone?.toFixed(2) ?? "",
    result.p50 > 0 ? result.p50.toFixed(2) : "",
    result.p99 > 0 ? result.p99.toFixed(2) : "",
  ];
}

/** In words; nothing where there is none. */
export function describeSpread(spread: Comparison["spread"] | null): string {
  return spread?.map((ratio) => ratio.toFixed(2)).join(" to ") ?? "";
}

/** One table in Markdown for each group. */
export function describeThroughput(rows: readonly SpeedRow[]): string {
  const parts: string[] = [];
  for (const { title } of GROUPS) {
    const own = rows.filter(({ group }) => group === title);
    if (own.length === 0) continue;
    const [runtime, server, ...rest] = HEAD;
    const head = ["load", runtime, server, own[0].unit, ...rest];
    const body = own.map((row) => {
      const [runtime, server, , ...rest] = cells(row);
      return [row.load, runtime, server, count(row.result.perSecond), ...rest];
    });
    parts.push(`### ${title}\n\n${table(head, body)}`);
  }
  return parts.join("\n\n");
}
