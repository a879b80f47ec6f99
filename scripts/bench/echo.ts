/** Echoing compressed JSON: our server and the runtime's usual one, in turns. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { type BenchOptions, count, median, table } from "./benchmark.ts";
import { canPin, Child } from "./children.ts";
import type { EchoResult, Job } from "./generator.ts";

/** Each server is measured so many times, in turns, and its median counts. */
const ROUNDS = 3;
const CONNECTIONS = 50;
const IN_FLIGHT = 4;

interface Contestant {
  readonly name: string;
  readonly runtime: RuntimeName;
  readonly script: string;
  readonly config: unknown;
  readonly takeover: boolean;
  readonly isPeer: boolean;
  /** Must not be slower than its peer. */
  readonly isTarget: boolean;
}

function contestants(runtime: RuntimeName, takeover: boolean): Contestant[] {
  const folder = "scripts/bench/servers";
  const options = { contextTakeover: takeover, contextBudget: 2 ** 30 };
  const ours = {
    name: "twoway",
    script: `${folder}/twoway.ts`,
    config: options,
    isPeer: false,
    isTarget: true,
  };
  // The level of the peers.
  const alike = {
    ...ours,
    name: "twoway, level 6",
    config: { ...options, level: 6 },
    isTarget: false,
  };
  // With the same parameters: level 6 and memLevel 8 are what it has, too.
  const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true };
  const ws = {
    name: "npm's ws",
    script: `${folder}/ws.ts`,
    config: { threshold: 1024, ...(takeover ? {} : noTakeover) },
    isPeer: true,
    isTarget: false,
  };
  const bun = {
    name: "Bun.serve",
    script: `${folder}/bun.ts`,
    config: takeover ? { compress: "dedicated", decompress: "dedicated" } : true,
    isPeer: true,
    isTarget: false,
  };
  const all = { deno: [ours, alike], bun: [ours, alike, bun], node: [ours, alike, ws] }[runtime];
  return all.map((one) => ({ ...one, runtime, takeover }));
}

/** Measures on all runtimes; `isGood` if ours is nowhere slower than its peer. */
export async function measureEcho(
  { runtimes, seconds }: BenchOptions,
): Promise<{ report: string; isGood: boolean }> {
  const all = [false, true].flatMap((takeover) =>
    runtimes.flatMap((runtime) => contestants(runtime, takeover))
  );
  const results = new Map<Contestant, EchoResult[]>(all.map((one) => [one, []]));
  // Those of a kind wait at the same time, and are asked in turns.
  for (const takeover of [false, true]) {
    const group = all.filter((one) => one.takeover === takeover);
    const servers = group.map((one) =>
      new Child({ ...one, args: [JSON.stringify(one.config)], core: 0 })
    );
    try {
      const ports = await Promise.all(servers.map((server) => server.value<number>()));
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, one] of group.entries()) {
          const result = await generate(servers[i], ports[i], one, seconds);
          results.get(one)!.push(result);
          console.error(
            `echo ${one.name} on ${one.runtime}${takeover ? ", takeover" : ""}: ` +
              `${count(result.perSecond)}/s, ${result.cpu?.toFixed(1)} µs, generator ${
                Math.round(result.load * 100)
              } % busy`,
          );
        }
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  return describe(all, results);
}

async function generate(
  server: Child,
  port: number,
  one: Contestant,
  seconds: number,
): Promise<EchoResult> {
  const config: Job = {
    task: "echo",
    port,
    pid: server.process.pid,
    compress: true,
    takeover: one.takeover,
    connections: CONNECTIONS,
    inFlight: IN_FLIGHT,
    seconds,
  };
  const script = "scripts/bench/generator.ts";
  const generator = new Child({ runtime: "node", script, args: [JSON.stringify(config)], core: 1 });
  try {
    return await generator.value();
  } finally {
    await generator.stop();
  }
}

function describe(
  all: readonly Contestant[],
  results: ReadonlyMap<Contestant, readonly EchoResult[]>,
): { report: string; isGood: boolean } {
  const speed = (one: Contestant): number => median(results.get(one)!.map((r) => r.perSecond));
  let isGood = true;
  const rows = all.map((one) => {
    const peer = all.find((other) =>
      other.isPeer && other.runtime === one.runtime && other.takeover === one.takeover
    );
    const ratio = peer === undefined || peer === one ? null : speed(one) / speed(peer);
    if (ratio !== null && ratio < 1 && one.isTarget) isGood = false;
    return [
      `${one.name}, on ${one.runtime}`,
      one.takeover ? "yes" : "no",
      count(speed(one)),
      ratio === null ? "" : ratio.toFixed(2),
      median(results.get(one)!.map((r) => r.cpu ?? NaN)).toFixed(1),
      count(median(results.get(one)!.map((r) => r.bytes))),
    ];
  });
  const head = [
    "echo server",
    "takeover",
    "messages/s",
    "against its peer",
    "CPU µs/message",
    "bytes/message",
  ];
  const where = canPin
    ? "server and load on one core each"
    : "server and load on the same cores, which blurs the figures";
  const note =
    `1 KiB of JSON, compressed both ways, ${CONNECTIONS} connections with ${IN_FLIGHT} ` +
    `messages in flight, ${where}, median of ${ROUNDS} rounds in turns:`;
  return { report: `${note}\n\n${table(head, rows)}`, isGood };
}
