/** How fast we are beside each runtime's usual server and client. @module */

import { type Benchmark, describeMachine, table } from "./benchmark.ts";
import { measureClients } from "./client_side.ts";
import { type IdleRow, measureIdle } from "./idle.ts";
import { describeMissed, missedTargets } from "./missed.ts";
import { describeThroughput, measureThroughput, ROUNDS, type SpeedRow } from "./throughput.ts";

const IDLE = "Memory";

/** Everything that came out. */
interface SpeedResults {
  readonly date: string;
  readonly machine: string;
  /** Of one round of one measurement. */
  readonly seconds: number;
  readonly speed: readonly SpeedRow[];
  readonly idle: readonly IdleRow[];
}

/** The benchmark of speed and memory. */
export const speed: Benchmark = {
  name: "speed",
  page: "docs/benchmarks.md",
  data: "scripts/bench/results.json",
  async run(options) {
    const rows = [...await measureThroughput(options), ...await measureClients(options)];
    const idle = IDLE.includes(options.only) ? await measureIdle(options.runtimes) : [];
    const results: SpeedResults = {
      date: new Date().toISOString().slice(0, 10),
      machine: describeMachine(options.runtimes),
      seconds: options.seconds,
      speed: rows,
      idle,
    };
    return {
      report: describe(results),
      results,
      isGood: missedTargets(rows, idle).length === 0,
    };
  },
};

/** The report in Markdown. */
function describe(results: SpeedResults): string {
  const { date, machine, seconds, speed, idle } = results;
  const parts = [
    `Measured on ${date} by \`deno task bench speed\` on ${machine}; server and load on one core ` +
    `each, medians of ${ROUNDS} rounds of ${seconds} s, in turns of a moment. \`ratio\` is to the ` +
    "best peer on the same runtime, `rounds` the lowest and the highest that it was in one round, " +
    "`CPU` the server's processor time for one message; `at most` is the ratio of a bare server, or of " +
    "the runtime's sockets alone, by processor time where the load is what is waited for; `alone` what ours takes for one without a socket.",
    describeThroughput(speed),
  ];
  if (idle.length > 0) parts.push(`### ${IDLE}\n\n${describeIdle(idle)}`);
  const missed = missedTargets(speed, idle);
  if (missed.length > 0) parts.push(`### Targets missed\n\n${describeMissed(missed)}`);
  return parts.join("\n\n");
}

function describeIdle(rows: readonly IdleRow[]): string {
  const head = [
    "runtime",
    "TCP alone",
    "twoway, iteration",
    "twoway, handlers",
    "above TCP (at most 3)",
    "resident: TCP alone",
    "iteration",
    "handlers",
  ];
  const body = rows.map(({ runtime, tcp, iteration, handlers }) => [
    runtime,
    ...[tcp, iteration, handlers].map(({ live }) => live.toFixed(1)),
    `${(iteration.live - tcp.live).toFixed(1)} / ${(handlers.live - tcp.live).toFixed(1)}`,
    ...[tcp, iteration, handlers].map(({ resident }) => resident.toFixed(1)),
  ]);
  return `KiB that live on for each of 5 000 idle connections after one echo:\n\n${
    table(head, body)
  }`;
}
