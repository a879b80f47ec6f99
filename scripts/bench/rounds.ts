/** All servers of a row under the same load, in turns of a moment; and how two of them compare. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { median } from "./benchmark.ts";
import { Child } from "./children.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import type { Contestant, Load } from "./loads.ts";

/** Seconds that a server is measured in a row: a machine that is shared changes within a few. */
const WINDOW = 0.2;

/** Whoever wants fewer seconds of a round than these does not wait for all to be compiled, either. */
const ENOUGH = 0.5;

type Times = Pick<LoadJob, "seconds" | "warmUp">;

/** What came of a server's windows in one round, in the order in which they were. */
export type Windows = readonly LoadResult[];

/**
 * Starts all anew, since what its first moments have made of a process can be a quarter of its speed;
 * then measures each for `seconds` in all, in windows that take turns. The `round` says who begins.
 */
export async function runRound(
  load: Load,
  all: readonly Contestant[],
  runtime: RuntimeName,
  seconds: number,
  round: number,
): Promise<Windows[]> {
  const count = Math.max(1, Math.round(seconds / WINDOW));
  const warmUp = load.warmUp * Math.min(1, seconds / ENOUGH);
  const times: Times = { seconds: load.stretch * seconds / count, warmUp };
  const results = all.map((): LoadResult[] => []);
  const servers = all.map((one) => new Child({ ...one, runtime, core: 0 }));
  const loads = new Map<number, Child>();
  try {
    for (const next of warmUpOrder(all.length, round)) {
      const server = servers[next];
      const child = startLoad(load, server, await server.port(), times);
      loads.set(next, child);
      await child.value(); // it has warmed the server up, alone
    }
    for (let turn = round; turn < round + count; turn++) {
      for (const next of turnOrder(all.length, turn)) {
        results[next].push(await loads.get(next)!.ask("count"));
      }
    }
    return results;
  } finally {
    await stopAll(loads.values()); // first: a load must not miss its server
    await stopAll(servers);
  }
}

/**
 * In which order all of them are warmed up: each is the first as often as the last. With long messages whoever
 * is the last is slower for as long as it runs, up to a fifth on Node.
 */
export function warmUpOrder(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, i) => (round + i) % count);
}

/**
 * In which order all of them have their turn: another one begins each time, and another one comes before
 * each, as far as their number allows. What a server puts off must not always meet the same one.
 */
export function turnOrder(count: number, turn: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  const strides = all.filter((i) => gcd(i, count) === 1);
  const stride = count < 2 ? 0 : strides[turn % strides.length];
  return all.map((i) => (turn + i * stride) % count);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

async function stopAll(children: Iterable<Child>): Promise<void> {
  await Promise.allSettled(Array.from(children, (child) => child.stop()));
}

function startLoad(load: Load, server: Child, port: number, times: Times): Child {
  const { connections, work } = load;
  const job: LoadJob = { ...work, port, pid: server.process.pid!, connections, ...times };
  const script = "scripts/bench/load.ts";
  return new Child({ runtime: "bun", script, args: [JSON.stringify(job)], core: 1 });
}

/** A round's figures. */
export function summarize(windows: Windows): LoadResult {
  return { ...medianOf(windows), cpu: windows.at(-1)!.cpu }; // which is that of all of them
}

/** The middle of each figure. */
export function medianOf(results: readonly LoadResult[]): LoadResult {
  type Figure = Exclude<keyof LoadResult, "cpu">;
  const of = (key: Figure): number => median(results.map((result) => result[key]));
  const cpus = results.map(({ cpu }) => cpu);
  return {
    perSecond: of("perSecond"),
    cpu: cpus.every((cpu) => cpu !== null) ? median(cpus) : null,
    load: of("load"),
    p50: of("p50"),
    p99: of("p99"),
  };
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

/** How fast one was beside another, which took turns with it. */
export interface Comparison {
  /** The middle of all rounds, where that of a round is the middle of its windows. */
  readonly ratio: number;
  /** The lowest and the highest of a round. */
  readonly spread: readonly [lowest: number, highest: number];
}

/** Compares what was measured at the same time: window by window, round by round. */
export function compare(own: readonly Windows[], others: readonly Windows[]): Comparison {
  const ratios = own.map((windows, round) =>
    median(windows.map(({ perSecond }, i) => perSecond / others[round][i].perSecond))
  );
  return { ratio: median(ratios), spread: [Math.min(...ratios), Math.max(...ratios)] };
}
