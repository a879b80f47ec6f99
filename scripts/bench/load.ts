/**
 * The load of the speed benchmark, in a process of its own, on Bun: raw TCP, prepared frames, and
 * bytes that are counted, so that it costs less than any server. Its argument is a
 * {@linkcode LoadJob}; the result goes to standard output, one line of JSON.
 *
 * @module
 */

import process from "node:process";
import { processorTime } from "./processor_time.ts";
import { RawPeer } from "./raw_peer.ts";
import {
  compressedFrame,
  compressibleText,
  echoFrame,
  readFrame,
  repeatFrame,
  requestFrame,
} from "./known_frames.ts";

/** What to do for a while. */
export type LoadJob =
  & {
    readonly port: number;
    /** The server's process. */
    readonly pid: number;
    /** Connections at once. */
    readonly connections: number;
    /** How long to count, after a time of warming up. */
    readonly seconds: number;
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

const OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/** What came of it. */
export interface LoadResult {
  /** Messages (or handshakes) in a second. */
  readonly perSecond: number;
  /** Microseconds of the server's processor time for one; `null` where they are unknown. */
  readonly cpu: number | null;
  /** The part of its core that the load itself needed. */
  readonly load: number;
  /** Milliseconds for one batch there and back. */
  readonly p50: number;
  readonly p99: number;
}

const job: LoadJob = JSON.parse(process.argv[2]);

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Counts `done` for the job's time; `times` are the milliseconds of single batches. */
async function measure(done: () => number, times: number[]): Promise<LoadResult> {
  await sleep(job.warmUp);
  times.length = 0;
  const before = done();
  const serverBefore = processorTime(job.pid);
  const cpu = process.cpuUsage();
  const started = performance.now();
  await sleep(job.seconds);
  const elapsed = (performance.now() - started) / 1000;
  const count = done() - before;
  const serverTime = processorTime(job.pid);
  const { user, system } = process.cpuUsage(cpu);
  if (count === 0) throw new Error("Nothing has come back");
  times.sort((a, b) => a - b);
  const part = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return {
    perSecond: count / elapsed,
    cpu: serverTime === null ? null : (serverTime - serverBefore!) / count,
    load: (user + system) / 1e6 / elapsed,
    p50: part(0.5),
    p99: part(0.99),
  };
}

/** `offer` is what the handshake offers; `null`: there is none. */
async function openAll(offer: string | null = ""): Promise<RawPeer[]> {
  const open = (): Promise<RawPeer> =>
    offer === null ? RawPeer.openTcp(job.port) : RawPeer.open(job.port, offer);
  const peers: RawPeer[] = [];
  while (peers.length < job.connections) {
    const length = Math.min(50, job.connections - peers.length);
    peers.push(...await Promise.all(Array.from({ length }, open)));
  }
  return peers;
}

/** What the server answers to a compressed message; the same each time, without takeover. */
async function learnReply(peer: RawPeer, size: number): Promise<Uint8Array> {
  let received = new Uint8Array(0);
  const reply = await new Promise<ReturnType<typeof readFrame>>((resolve) => {
    peer.onbytes = (_, bytes) => {
      received = Uint8Array.from([...received, ...bytes]);
      const reply = readFrame(received);
      if (reply !== null) resolve(reply);
    };
    peer.write(compressedFrame(size));
  });
  if (reply!.text !== compressibleText(size)) throw new Error("The server's reply is wrong");
  return reply!.frame;
}

/** Keeps the messages in flight at their number. */
async function echo({ size, inFlight, isText, compress }: EchoLoad): Promise<LoadResult> {
  const peers = await openAll(compress ? OFFER : "");
  const request = compress ? compressedFrame(size) : requestFrame(size, isText);
  const batch = repeatFrame(request, inFlight);
  const reply = compress ? await learnReply(peers[0], size) : echoFrame(size, isText);
  const frame = request.length;
  const times: number[] = [];
  let frames = 0;
  for (const peer of peers) {
    let partial = 0;
    let sent = performance.now();
    peer.expect(reply);
    peer.onbytes = (count) => {
      partial += count;
      const whole = Math.floor(partial / reply.length);
      if (whole === 0) return;
      partial -= whole * reply.length;
      frames += whole;
      const now = performance.now();
      if (inFlight === 1) times.push(now - sent);
      sent = now;
      peer.write(whole >= inFlight ? batch : batch.subarray(0, whole * frame));
    };
    peer.write(batch);
  }
  return await measure(() => frames, times);
}

/** One asks, and all get the same message, or several at once; then it asks again. */
async function broadcast(burst: number): Promise<LoadResult> {
  const peers = await openAll();
  const asker = await RawPeer.open(job.port);
  const ask = requestFrame(0, true, `${burst}`);
  const each = echoFrame(100, false).length * burst;
  const times: number[] = [];
  let received = 0;
  let asked = 0;
  let missing = 0;
  const next = (): void => {
    missing = each * (peers.length + 1);
    asked = performance.now();
    asker.write(ask);
  };
  const count = (bytes: number): void => {
    received += bytes;
    missing -= bytes;
    if (missing < 0) throw new Error("More has come than was asked for");
    if (missing > 0) return;
    times.push(performance.now() - asked);
    next();
  };
  for (const peer of [...peers, asker]) {
    peer.expect(echoFrame(100, false));
    peer.onbytes = count;
  }
  next();
  return await measure(() => received * burst / each, times);
}

/** Connects, and leaves once it is let in. */
async function handshakes(): Promise<LoadResult> {
  let done = 0;
  const times: number[] = [];
  const work = async (): Promise<void> => {
    while (true) {
      const started = performance.now();
      const peer = await RawPeer.open(job.port);
      times.push(performance.now() - started);
      done++;
      peer.reset();
    }
  };
  for (let i = 0; i < job.connections; i++) {
    work().catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
  return await measure(() => done, times);
}

/** Tells when all connections are idle; leaves when a line comes in. */
async function hold({ isTcp }: HoldLoad): Promise<void> {
  const peers = await openAll(isTcp ? null : "");
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

async function run(): Promise<LoadResult | void> {
  if (job.kind === "echo") return await echo(job);
  if (job.kind === "hold") return await hold(job);
  return job.kind === "broadcast" ? await broadcast(job.burst) : await handshakes();
}

const result = await run();
if (result !== undefined) console.log(JSON.stringify(result));
process.exit();
