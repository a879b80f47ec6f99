/**
 * The load of the speed benchmark, in a process of its own, on Bun: raw TCP, prepared frames, and
 * bytes that are counted, so that it costs less than any server. Its argument is a
 * {@linkcode LoadJob}. It warms the server up, pauses, and prints a line; then each line that comes in
 * has it loaded for the job's time, and a {@linkcode LoadResult} goes to standard output, one line of
 * JSON.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { createBroadcasts, createEchoes, type Drive, Handshakes, openAll } from "./drives.ts";
import { echoFrame, requestFrame } from "./known_frames.ts";
import { processorTime } from "./processor_time.ts";

/** What to do for a while. */
export type LoadJob =
  & {
    readonly port: number;
    /** The server's process. */
    readonly pid: number;
    /** Connections at once. */
    readonly connections: number;
    /** How long to count for one line that comes in. */
    readonly seconds: number;
    /** How long to load the server before. */
    readonly warmUp: number;
  }
  & Work;

/** Who does what. */
export type Work = EchoLoad | BroadcastLoad | HoldLoad | { readonly kind: "handshake" };

/** Connections that exchange one message of 20 bytes, and then nothing until a line comes in. */
export interface HoldLoad {
  readonly kind: "hold";
  /** Whether the server speaks no WebSocket, and sends bytes back as they come. */
  readonly isTcp: boolean;
}

/** One message, or several at once, to all. */
export interface BroadcastLoad {
  readonly kind: "broadcast";
  readonly burst: number;
}

/** Messages that come back as they went. */
export interface EchoLoad {
  readonly kind: "echo";
  /** Payload bytes. */
  readonly size: number;
  /** Messages of a connection that are on their way at once. */
  readonly inFlight: number;
  readonly isText: boolean;
  /** Whether messages are compressed, without context takeover. */
  readonly compress: boolean;
}

/** What came of it. */
export interface LoadResult {
  /** Messages (or handshakes) in a second. */
  readonly perSecond: number;
  /**
   * Microseconds of the server's processor time for one, since the first line came in, the pauses
   * between windows and what it did in them included: the system tells them in steps, of which many make
   * a figure. `null` where they are unknown.
   */
  readonly cpu: number | null;
  /** The part of its core that the load itself needed. */
  readonly load: number;
  /** Milliseconds for one batch there and back, also of those that were late; 0 where not measured. */
  readonly p50: number;
  readonly p99: number;
}

/** Seconds from going on until most loads are what they stay. */
const LEAD = 0.02;

/** Seconds within which a server must answer what is under way. */
const PATIENCE = 10;

const job: LoadJob = JSON.parse(process.argv[2]);

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Loads the server for so long. */
async function load<T>(drive: Drive, whileLoaded: () => Promise<T>): Promise<T> {
  drive.resume();
  const result = await whileLoaded();
  drive.pause();
  const end = performance.now() + PATIENCE * 1000;
  while (!drive.isIdle) {
    if (performance.now() > end) throw new Error(`Not all has come back within ${PATIENCE} s`);
    await sleep(0.002);
  }
  return result;
}

/** Counts for the job's time. */
async function count(drive: Drive): Promise<Pick<LoadResult, "perSecond" | "load">> {
  await sleep(LEAD);
  drive.times.length = 0;
  const before = drive.done;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await sleep(job.seconds);
  const elapsed = (performance.now() - started) / 1000;
  const done = drive.done - before;
  const { user, system } = process.cpuUsage(cpu);
  if (done === 0) throw new Error("Nothing has come back");
  return { perSecond: done / elapsed, load: (user + system) / 1e6 / elapsed };
}

/** Warms up, then counts as often as it is asked to. */
async function serveLines(drive: Drive): Promise<void> {
  await load(drive, () => sleep(job.warmUp));
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log(JSON.stringify("ready"));
  let before: { done: number; cpu: number | null } | null = null;
  while (!(await lines.next()).done) {
    before ??= { done: drive.done, cpu: processorTime(job.pid) };
    const counted = await load(drive, () => count(drive));
    const now = processorTime(job.pid);
    const cpu = now === null ? null : (now - before.cpu!) / (drive.done - before.done);
    const times = drive.times.toSorted((a, b) => a - b);
    const part = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
    const result: LoadResult = { ...counted, cpu, p50: part(0.5), p99: part(0.99) };
    console.log(JSON.stringify(result));
  }
}

/** Tells when all connections are idle; leaves when a line comes in. */
async function hold({ isTcp }: HoldLoad): Promise<void> {
  const peers = await openAll(job.port, job.connections, isTcp ? null : "");
  const reply = isTcp ? requestFrame(20, true) : echoFrame(20, true);
  await Promise.all(peers.map((peer) =>
    new Promise<void>((resolve) => {
      let missing = reply.length;
      peer.expect(reply);
      peer.onbytes = (count) => {
        missing -= count;
        if (missing === 0) resolve();
      };
      peer.write(requestFrame(20, true));
    })
  ));
  console.log(peers.length);
  await new Promise((resolve) => process.stdin.once("data", resolve));
  for (const peer of peers) peer.reset();
}

async function createDrive(): Promise<Drive> {
  const { port, connections } = job;
  if (job.kind === "echo") return await createEchoes(port, connections, job);
  if (job.kind === "broadcast") return await createBroadcasts(port, connections, job.burst);
  return new Handshakes(port, connections, fail);
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

await (job.kind === "hold" ? hold(job) : serveLines(await createDrive())).catch(fail);
process.exit();
