/** What a client under test is to do, and the doing. @module */

import process from "node:process";
import { compressibleText } from "./known_frames.ts";
import type { LoadResult } from "./load.ts";

/** Messages that an echo server sends back. */
export interface ClientJob {
  readonly port: number;
  readonly connections: number;
  readonly inFlight: number;
  /** Bytes of a message. */
  readonly size: number;
  readonly isText: boolean;
  readonly seconds: number;
  readonly warmUp: number;
}

/** Opens a connection; returns what sends a message on it. `onMessage` is called for each reply. */
type Open = (url: string, onMessage: () => void) => Promise<(message: Message) => void>;

type Message = string | Uint8Array<ArrayBuffer>;

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Keeps the messages in flight at their number, prints a {@linkcode LoadResult} and ends. */
export async function driveClients(job: ClientJob, open: Open): Promise<never> {
  const text = compressibleText(job.size);
  const message = job.isText ? text : new TextEncoder().encode(text);
  let count = 0;
  for (let i = 0; i < job.connections; i++) {
    const send = await open(`ws://127.0.0.1:${job.port}/`, () => {
      count++;
      send(message);
    });
    for (let k = 0; k < job.inFlight; k++) send(message);
  }
  await sleep(job.warmUp);
  const before = count;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await sleep(job.seconds);
  const elapsed = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const done = count - before;
  if (done === 0) throw new Error("Nothing has come back");
  const result: LoadResult = {
    perSecond: done / elapsed,
    cpu: (user + system) / done,
    load: (user + system) / 1e6 / elapsed,
    p50: 0,
    p99: 0,
  };
  console.log(JSON.stringify(result));
  process.exit();
}
