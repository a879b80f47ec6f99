/** Our servers beside every runtime's usual one, under the same loads, in turns. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { type BenchOptions, count, median, table } from "./benchmark.ts";
import { Child } from "./children.ts";
import type { LoadJob, LoadResult } from "./load.ts";
import { type Api, type Load, LOADS } from "./loads.ts";

/** Each server is measured so many times, in turns, and its median counts. */
const ROUNDS = 3;

interface Contestant {
  readonly name: string;
  readonly runtime: RuntimeName;
  readonly script: string;
  readonly args: readonly string[];
  /** How ours takes messages; `null` for a peer. */
  readonly api: Api | null;
}

const FOLDER = "scripts/bench/servers";
const PEERS: Record<RuntimeName, Omit<Contestant, "runtime" | "api">> = {
  deno: { name: "Deno.upgradeWebSocket", script: `${FOLDER}/deno.ts`, args: [] },
  bun: { name: "Bun.serve", script: `${FOLDER}/bun.ts`, args: ["false"] },
  node: { name: "npm's ws", script: `${FOLDER}/ws.ts`, args: ["false"] },
};

function contestants(runtime: RuntimeName, { apis }: Load): Contestant[] {
  const ours = apis.map((api): Contestant => ({
    name: `twoway, ${api}`,
    runtime,
    script: "examples/echo.ts",
    args: ["--port", "0", ...(api === "handlers" ? ["--handlers"] : [])],
    api,
  }));
  return [...ours, { ...PEERS[runtime], runtime, api: null }];
}

/** What came of one load on one server. */
export interface Row {
  readonly load: string;
  readonly runtime: RuntimeName;
  readonly server: string;
  readonly result: LoadResult;
  /** To the best peer on the same runtime. */
  readonly ratio: number | null;
  readonly target: number | null;
}

/** Measures the loads whose names contain `only`. */
export async function measureSpeed(
  { runtimes, seconds }: BenchOptions,
  only: string,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const load of LOADS.filter(({ name }) => name.includes(only))) {
    for (const runtime of runtimes) rows.push(...await measure(load, runtime, seconds));
  }
  return rows;
}

async function measure(load: Load, runtime: RuntimeName, seconds: number): Promise<Row[]> {
  const all = contestants(runtime, load);
  const servers = all.map((one) => new Child({ ...one, core: 0 }));
  const results = all.map((): LoadResult[] => []);
  try {
    const ports = await Promise.all(servers.map((server) => server.port()));
    for (let round = 0; round < ROUNDS; round++) {
      for (const i of all.keys()) {
        results[i].push(await run(load, servers[i], ports[i], seconds));
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  const middle = results.map(medianOf);
  const best = Math.max(...middle.filter((_, i) => all[i].api === null).map((r) => r.perSecond));
  return all.map(({ name, api }, i) => {
    const ratio = api === null ? null : middle[i].perSecond / best;
    const target = api === null ? null : load.targets[api]?.[runtime] ?? null;
    const row = { load: load.name, runtime, server: name, result: middle[i], ratio, target };
    console.error(cells(row).join("  "));
    return row;
  });
}

async function run(
  load: Load,
  server: Child,
  port: number,
  seconds: number,
): Promise<LoadResult> {
  const { connections, work } = load;
  const warmUp = Math.min(1, seconds);
  const job: LoadJob = { ...work, port, pid: server.process.pid!, connections, seconds, warmUp };
  const script = "scripts/bench/load.ts";
  const child = new Child({ runtime: "bun", script, args: [JSON.stringify(job)], core: 1 });
  try {
    return await child.value();
  } finally {
    await child.stop();
  }
}

function medianOf(results: readonly LoadResult[]): LoadResult {
  const of = (key: keyof LoadResult): number => median(results.map((r) => r[key] ?? NaN));
  return {
    perSecond: of("perSecond"),
    cpu: of("cpu"),
    load: of("load"),
    p50: of("p50"),
    p99: of("p99"),
  };
}

function cells({ load, runtime, server, result, ratio, target }: Row): string[] {
  const verdict = target === null ? "" : ratio! >= target ? "ok" : "missed";
  return [
    load,
    runtime,
    server,
    count(result.perSecond),
    ratio?.toFixed(2) ?? "",
    target === null ? "" : `${target} ${verdict}`,
    result.cpu?.toFixed(2) ?? "",
    result.p50.toFixed(2),
    result.p99.toFixed(2),
    `${Math.round(result.load * 100)} %`,
  ];
}

const HEAD = [
  "load",
  "runtime",
  "server",
  "messages/s",
  "ratio",
  "target",
  "CPU µs each",
  "p50 ms",
  "p99 ms",
  "load's own core",
];

/** The rows as a table in Markdown. */
export function toTable(rows: readonly Row[]): string {
  return table(HEAD, rows.map(cells));
}
