/**
 * The load, in a process of its own, on Node. Its argument says what to do; results go to standard
 * output, one line of JSON each.
 *
 * @module
 */

import process from "node:process";
import { processorTime } from "./processor_time.ts";
import { offerOf, prepare, RawClient, type Script } from "./raw_client.ts";
import { jsonMessages } from "./records.ts";

/** What the generator is to do. */
export interface Job {
  readonly task: "echo" | "hold" | "cycle";
  readonly port: number;
  readonly compress: boolean;
  readonly takeover: boolean;
  /** `echo`: the server's process. */
  readonly pid?: number;
  /** Connections at once. */
  readonly connections: number;
  /** `echo`: messages of a connection that are on their way at once. */
  readonly inFlight?: number;
  /** `echo`: how long to count, after a time of warming up. */
  readonly seconds?: number;
  readonly warmUp?: number;
  /** `cycle`: how many connections in all. */
  readonly count?: number;
}

/** What an `echo` comes to. */
export interface EchoResult {
  readonly perSecond: number;
  /** Microseconds of the server's processor time for one message; `null` where they are unknown. */
  readonly cpu: number | null;
  /** Received for one message, the frame's header included. */
  readonly bytes: number;
  /** The part of its core that the generator itself needed. */
  readonly load: number;
}

/** Connections that are being opened at the same time. */
const DIALS = 100;

const job: Job = JSON.parse(process.argv[2]);
const dialect = { offer: offerOf(job.compress, job.takeover), takeover: job.takeover };
const script: Script = await prepare(jsonMessages(1024, 200), dialect);
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function openAll(): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  while (clients.length < job.connections) {
    const length = Math.min(DIALS, job.connections - clients.length);
    const dial = (): Promise<RawClient> => RawClient.open(job.port, script, dialect);
    clients.push(...await Promise.all(Array.from({ length }, dial)));
  }
  return clients;
}

/** Keeps the messages in flight at their number. */
async function echo({ inFlight = 4, seconds = 3, warmUp = 1, pid = 0 }: Job): Promise<EchoResult> {
  const clients = await openAll();
  for (const client of clients) {
    client.onframes = (count) => client.send(count);
    client.send(inFlight);
  }
  const sum = (key: "frames" | "bytes"): number => clients.reduce((n, one) => n + one[key], 0);
  await sleep(warmUp);
  const before = { frames: sum("frames"), bytes: sum("bytes") };
  const cpu = process.cpuUsage();
  const serverBefore = processorTime(pid);
  const started = performance.now();
  await sleep(seconds);
  const serverTime = processorTime(pid);
  const elapsed = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const frames = sum("frames") - before.frames;
  return {
    perSecond: frames / elapsed,
    cpu: serverTime === null ? null : (serverTime - serverBefore!) / frames,
    bytes: (sum("bytes") - before.bytes) / frames,
    load: (user + system) / 1e6 / elapsed,
  };
}

/** One message there and back. */
function exchange(client: RawClient): Promise<void> {
  return new Promise((resolve) => {
    client.onframes = () => resolve();
    client.send(1);
  });
}

/** Opens connections, exchanges a message on each, and keeps them until a line comes in. */
async function hold(): Promise<number> {
  const clients = await openAll();
  await Promise.all(clients.map(exchange));
  for (const client of clients) client.onframes = () => {};
  console.log(clients.length);
  await new Promise((resolve) => process.stdin.once("data", resolve));
  await Promise.all(clients.map((client) => client.close()));
  return clients.reduce((frames, client) => frames + client.frames, 0);
}

/** Connect, a message there and back, close. */
async function cycle({ count = 0, connections }: Job): Promise<number> {
  let left = count;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const client = await RawClient.open(job.port, script, dialect);
      await exchange(client);
      await client.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return count;
}

console.log(JSON.stringify(await { echo, hold, cycle }[job.task](job)));
process.exit();
