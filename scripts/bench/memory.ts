/** What compressed connections hold, idle and when they are gone again. @module */

import type { RuntimeName } from "../../tests/toolchain.ts";
import { median, table } from "./benchmark.ts";
import { canSeeMemory, Child } from "./children.ts";
import type { Job } from "./generator.ts";
import { type Held, heldBy } from "./held.ts";
import { jsonMessages } from "./records.ts";

/** The option `compress` of a server. */
export type CompressConfig = false | {
  readonly contextTakeover?: boolean;
  readonly contextBudget?: number;
  readonly windowBits?: number;
  readonly memLevel?: number;
  readonly level?: number;
};

/** How to measure what a connection holds. */
export interface HoldOptions {
  /** Connections that are open at once. */
  readonly connections: number;
  /** How often they are opened before it counts: the first times a heap grows for good. */
  readonly warmUps: number;
  /** How often it counts; the median is the result. */
  readonly rounds: number;
}

const IDLE: HoldOptions = { connections: 2000, warmUps: 2, rounds: 3 };

/** What idle connections may differ by, in KiB each; what may stay behind, in MiB. */
const MAX_IDLE = 1;
const MAX_GROWTH = 32;

const SENDS = 30_000;
const SENDERS = 300;
const CYCLES = 10_000;
const DIALS = 50;

async function start(runtime: RuntimeName, compress: CompressConfig): Promise<[Child, number]> {
  const script = "scripts/bench/servers/twoway.ts";
  const server = new Child({ runtime, script, args: [JSON.stringify(compress)], exposeGc: true });
  return [server, await server.value<number>()];
}

/** Runs a job, and calls `between` when it says that its connections are open. */
async function load(job: Job, between: () => Promise<void> = async () => {}): Promise<void> {
  const script = "scripts/bench/generator.ts";
  const generator = new Child({ runtime: "node", script, args: [JSON.stringify(job)] });
  try {
    await generator.value();
    if (job.task !== "hold") return;
    await between();
    await generator.ask("end");
  } finally {
    await generator.stop();
  }
}

function holdJob(port: number, compress: CompressConfig, connections: number): Job {
  const takeover = compress !== false && compress.contextTakeover === true;
  return { task: "hold", port, compress: compress !== false, takeover, connections };
}

/** KiB for each connection that has exchanged a message and is idle. */
export async function connectionMemory(
  runtime: RuntimeName,
  compress: CompressConfig,
  { connections, warmUps, rounds }: HoldOptions = IDLE,
): Promise<Held> {
  const [server, port] = await start(runtime, compress);
  try {
    const job = holdJob(port, compress, connections);
    await load({ ...job, connections: connections >> 2 }); // what comes only once
    const before = await heldBy(server);
    const seen: Held[] = [];
    for (let i = 0; i < warmUps + rounds; i++) {
      await load(job, async () => {
        if (i >= warmUps) seen.push(await heldBy(server));
      });
    }
    const each = (key: keyof Held): number =>
      (median(seen.map((held) => held[key])) - before[key]) / connections;
    return { resident: each("resident"), live: each("live") };
  } finally {
    await server.stop();
  }
}

/** Everything that is sent before any of it is through. */
function sendAtOnce(server: Child, port: number): Promise<void> {
  const [text] = jsonMessages(1024, 1);
  return load(holdJob(port, {}, SENDERS), async () => {
    const sent = await server.ask<number>(`burst ${SENDS / SENDERS} ${text}`);
    if (sent !== SENDS) throw new Error(`The server has sent ${sent} messages, not ${SENDS}`);
  });
}

/** MiB that stay behind when the same work is done again and again. */
async function growth(
  runtime: RuntimeName,
  work: (server: Child, port: number) => Promise<void>,
): Promise<number> {
  const [server, port] = await start(runtime, {});
  try {
    await work(server, port);
    const before = await heldBy(server);
    await work(server, port);
    return ((await heldBy(server)).resident - before.resident) / 1024;
  } finally {
    await server.stop();
  }
}

/** Whether memory is where it was when the work is done, and idle connections cost no more. */
export async function checkMemory(
  runtimes: readonly RuntimeName[],
): Promise<{ report: string; isGood: boolean }> {
  if (!canSeeMemory) return { report: "Memory is measured on Linux only.", isGood: true };
  let isGood = true;
  const verdict = (value: number, max: number): string => {
    if (value > max) isGood = false;
    return `${value.toFixed(1)} (${value > max ? "FAIL" : "ok"})`;
  };
  const rows: string[][] = [];
  for (const runtime of runtimes) {
    const plain = await connectionMemory(runtime, false);
    const compressed = await connectionMemory(runtime, {});
    const cycle: Omit<Job, "port"> = {
      task: "cycle",
      compress: true,
      takeover: false,
      connections: DIALS,
      count: CYCLES,
    };
    rows.push([
      runtime,
      plain.resident.toFixed(1),
      compressed.resident.toFixed(1),
      plain.live.toFixed(1),
      compressed.live.toFixed(1),
      verdict(compressed.live - plain.live, MAX_IDLE),
      verdict(await growth(runtime, sendAtOnce), MAX_GROWTH),
      verdict(await growth(runtime, (_, port) => load({ ...cycle, port })), MAX_GROWTH),
    ]);
    console.error(`memory ${rows.at(-1)!.join(", ")}`);
  }
  const head = [
    "runtime",
    "resident KiB for each of 2000 idle connections",
    "compressed",
    "live KiB",
    "compressed",
    "difference (at most 1)",
    "MiB left by 30 000 sends at once (at most 32)",
    "by 10 000 connections (at most 32)",
  ];
  return { report: table(head, rows), isGood };
}
