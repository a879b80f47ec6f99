/** Our servers beside every runtime's usual one, under the same loads, in turns. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { type BenchOptions, count, median, table } from "./benchmark.ts";
import { Child } from "./children.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { type Contestant, type Group, GROUPS, type Load } from "./loads.ts";

/** Each server is measured so many times, in turns, and its median counts. */
export const ROUNDS = 5;

/** Between what a figure was. */
export type Spread = readonly [lowest: number, highest: number];

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
  readonly spread: Spread | null;
  /** The least ratio asked for. */
  readonly target: number | null;
  /**
   * What the ratio could be at most: with the runtime's sockets and what every message needs, and
   * nothing else; `null` for others than ours, and where that is not known.
   */
  readonly most: number | null;
  /** Microseconds of ours without a socket; `null` for others, and where that is not measured. */
  readonly alone: number | null;
  /**
   * Microseconds that the target leaves for ours beside the sockets, negative if these alone miss it;
   * `null` without a target, and where that is not known. The digest of a handshake, and the loop where
   * ours iterates, count to the sockets; they are part of `alone`, too.
   */
  readonly room: number | null;
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
  const results = all.map((): LoadResult[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    // New ones in each: what its first moments have made of a process can be a quarter of its speed.
    const servers = all.map((one) => new Child({ ...one, runtime, core: 0 }));
    try {
      const ports = await Promise.all(servers.map((server) => server.port()));
      for (const i of all.keys()) {
        results[i].push(await run(load, servers[i], ports[i], seconds));
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  const middle = results.map(medianOf);
  const peer = bestOf(middle, (i) => all[i].kind === "peer");
  const best = peer === null ? null : middle[peer].perSecond;
  const needs = await needsOf(load, runtime);
  const alone: (number | null)[] = [];
  for (const one of all) alone.push(await aloneOf(one, load, runtime));
  return all.map(({ name, kind, targets }, i) => {
    const isCompared = kind !== "peer" && peer !== null;
    const target = targets[runtime] ?? null;
    const ceiling = kind === "ours" ? ceilingOf(name, all, middle) : null;
    const row = {
      group: group.title,
      load: load.name,
      runtime,
      server: name,
      unit: load.unit,
      result: middle[i],
      ratio: isCompared ? middle[i].perSecond / best! : null,
      spread: isCompared ? spreadOf(results[i], results[peer]) : null,
      target,
      most: ceiling === null || best === null ? null : ratioOf(ceiling, needs, best),
      alone: alone[i],
      room: ceiling === null || best === null || target === null
        ? null
        : roomOf(ceiling, target * best),
    };
    console.error([load.name, ...cells(row)].join("  "));
    return row;
  });
}

/** What came of the sockets alone, with a loop over the messages where ours has one. */
function ceilingOf(
  ours: string,
  all: readonly Contestant[],
  results: readonly LoadResult[],
): LoadResult | null {
  const hasLoop = (name: string): boolean => name.endsWith("iteration");
  const i = all.findIndex(({ kind, name }) =>
    kind === "ceiling" && hasLoop(name) === hasLoop(ours)
  );
  return results[i] ?? null;
}

/** The ratio of a server that takes so many microseconds more for each. */
function ratioOf({ perSecond, cpu }: LoadResult, more: number, best: number): number {
  return (cpu === null ? perSecond : perSecond * cpu / (cpu + more)) / best;
}

/** The microseconds that a server may take more for each to do so many in a second. */
function roomOf({ perSecond, cpu }: LoadResult, wanted: number): number | null {
  return cpu === null ? null : cpu * (perSecond / wanted - 1);
}

/** The microseconds that a message needs besides. */
async function needsOf({ work }: Load, runtime: RuntimeName): Promise<number> {
  if (work.kind !== "echo" || work.compress) return 0;
  return await microseconds(runtime, "scripts/bench/needs.ts", JSON.stringify(work));
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

/** The index of the fastest of those that count; `null` if none does. */
export function bestOf(
  results: readonly LoadResult[],
  doesCount: (index: number) => boolean,
): number | null {
  let best: number | null = null;
  for (const [i, { perSecond }] of results.entries()) {
    if (doesCount(i) && (best === null || perSecond > results[best].perSecond)) best = i;
  }
  return best;
}

/** The ratios of one's rounds to another's, which took turns with them. */
export function spreadOf(own: readonly LoadResult[], others: readonly LoadResult[]): Spread {
  const ratios = own.map(({ perSecond }, round) => perSecond / others[round].perSecond);
  return [Math.min(...ratios), Math.max(...ratios)];
}

async function run(
  { connections, work }: Load,
  server: Child,
  port: number,
  seconds: number,
): Promise<LoadResult> {
  // The server has just started: JavaScript takes a second and a half until all of it is compiled.
  const warmUp = Math.min(2, seconds * 4);
  const job: LoadJob = { ...work, port, pid: server.process.pid!, connections, seconds, warmUp };
  const script = "scripts/bench/load.ts";
  const child = new Child({ runtime: "bun", script, args: [JSON.stringify(job)], core: 1 });
  try {
    return await child.value();
  } finally {
    await child.stop();
  }
}

/** The middle of each figure. */
export function medianOf(results: readonly LoadResult[]): LoadResult {
  const of = (key: keyof LoadResult): number => median(results.map((r) => r[key] ?? NaN));
  return {
    perSecond: of("perSecond"),
    cpu: of("cpu"),
    load: of("load"),
    p50: of("p50"),
    p99: of("p99"),
  };
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
export function describeSpread(spread: Spread | null): string {
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
