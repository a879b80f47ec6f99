/** Our client beside the runtime's own, against the same server, in turns. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import type { BenchOptions } from "./benchmark.ts";
import { Child } from "./children.ts";
import type { ClientJob } from "./client_job.ts";
import type { LoadResult } from "./load.ts";
import { bestOf, compare, medianOf } from "./rounds.ts";
import { ROUNDS, type SpeedRow } from "./throughput.ts";

const GROUP = "Client";

/** Bun's own server: the fastest of all, so that the client is the limit. */
const SERVER = { runtime: "bun", script: "scripts/bench/servers/bun.ts", args: ["false"] } as const;

type ClientLoad = Omit<ClientJob, "port" | "seconds" | "warmUp"> & { readonly name: string };

const LOADS: readonly ClientLoad[] = [
  { name: "20 B text, 1 in flight", connections: 50, inFlight: 1, size: 20, isText: true },
  { name: "20 B text, 32 in flight", connections: 50, inFlight: 32, size: 20, isText: true },
  { name: "1 KiB binary, 4 in flight", connections: 50, inFlight: 4, size: 1024, isText: false },
  { name: "16 KiB binary, 2 in flight", connections: 20, inFlight: 2, size: 16_384, isText: false },
];

function clientsOf(runtime: RuntimeName): { name: string; script: string; isPeer: boolean }[] {
  const own = { name: "WebSocket", script: "builtin.ts", isPeer: true };
  const ours = { name: "twoway, connect()", script: "twoway.ts", isPeer: false };
  const ws = { name: "npm's ws", script: "ws.ts", isPeer: true };
  return runtime === "node" ? [ours, ws, own] : [ours, own];
}

/** Measures the client side; the ratios are to the best peer on the same runtime. */
export async function measureClients(options: BenchOptions): Promise<SpeedRow[]> {
  const rows: SpeedRow[] = [];
  for (const load of LOADS) {
    if (!`${GROUP}: ${load.name}`.includes(options.only)) continue;
    for (const runtime of options.runtimes) {
      rows.push(...await measure(load, runtime, options.seconds));
    }
  }
  return rows;
}

async function measure(
  { name, ...load }: ClientLoad,
  runtime: RuntimeName,
  seconds: number,
): Promise<SpeedRow[]> {
  const server = new Child({ ...SERVER, core: 1 });
  const clients = clientsOf(runtime);
  const results = clients.map((): LoadResult[] => []);
  try {
    const job: ClientJob = {
      ...load,
      port: await server.port(),
      seconds,
      warmUp: Math.min(1, seconds),
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, { script }] of clients.entries()) {
        const path = `scripts/bench/clients/${script}`;
        const client = new Child({ runtime, script: path, args: [JSON.stringify(job)], core: 0 });
        try {
          results[i].push(await client.value());
        } finally {
          await client.stop();
        }
      }
    }
  } finally {
    await server.stop();
  }
  const middle = results.map(medianOf);
  const peer = bestOf(middle, (i) => clients[i].isPeer)!;
  const rounds = results.map((own) => own.map((result) => [result]));
  return clients.map(({ name: client, isPeer }, i) => {
    const compared = isPeer ? null : compare(rounds[i], rounds[peer]);
    const ratio = compared?.ratio ?? null;
    console.error(`client ${name}, ${client} on ${runtime}: ${ratio?.toFixed(2) ?? "peer"}`);
    return {
      group: GROUP,
      load: name,
      runtime,
      server: client,
      unit: "messages/s",
      result: middle[i],
      ratio,
      spread: compared?.spread ?? null,
      target: null,
      most: null,
      mostInRound: null,
      alone: null,
      room: null,
      own: null,
    };
  });
}
