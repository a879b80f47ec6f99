/**
 * What the library itself costs: echoes, broadcasts or handshakes, over connections without a socket,
 * which take everything at once. In a process of its own; its arguments are the load, as in load.ts, how
 * many connections there are, and `iteration` or `handlers`. The microseconds of processor time for one
 * message, delivery or handshake go to standard output.
 *
 * @module
 */

import process from "node:process";
import {
  type Conn,
  type ConnFlow,
  type ConnSink,
  type Listener,
  serve,
  type Server,
} from "../../mod.ts";
import { AcceptQueue } from "../../src/runtime/accept_queue.ts";
import { median } from "./benchmark.ts";
import { broadcastPayload, echoFrame, repeatFrame, requestFrame } from "./known_frames.ts";
import type { BroadcastLoad, EchoLoad, Work } from "./load.ts";

/** Milliseconds until what a message takes is compiled, and most of what a handshake takes. */
const WARM_UP = 1500;
const HANDSHAKES_WARM_UP = 6000;

/** Milliseconds of each round, and how many there are. */
const ROUND = 100;
const ROUNDS = 9;

/** What a runtime's sockets give in one read, in bytes. */
const READ_SIZE = 65_536;

const ADDR = { transport: "tcp", hostname: "127.0.0.1", port: 1 } as const;

const REQUEST = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
);

/** Bytes that servers have written, and who waits for how many. */
let written = 0;
let awaited = { bytes: Infinity, resolve: (): void => {} };

/** A connection that asks for an upgrade, then gives what it is told to. */
class SocketlessConn implements Conn, ConnFlow {
  readonly remoteAddr = ADDR;
  /** Settles when the session reads. */
  readonly opened: Promise<void>;
  #setOpened!: () => void;
  #sink: ConnSink | null = null;
  readonly #buffer: Uint8Array;
  /** What the sink has not had yet begins here. */
  #at: number;

  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
    this.#at = capacity;
    this.opened = new Promise((resolve) => this.#setOpened = resolve);
  }

  read(): Promise<Uint8Array> {
    return Promise.resolve(REQUEST.slice());
  }

  push(sink: ConnSink): ConnFlow {
    this.#sink = sink;
    this.#setOpened();
    return this;
  }

  /** Gives these bytes, of which there are as many as fit. */
  give(bytes: Uint8Array): void {
    this.#buffer.set(bytes);
    this.#at = 0;
    this.resume();
  }

  resume(): void {
    while (this.#at < this.#buffer.length) {
      const end = Math.min(this.#at + READ_SIZE, this.#buffer.length);
      const bytes = this.#buffer.subarray(this.#at, end);
      this.#at = end;
      if (!this.#sink!.data(bytes)) return;
    }
  }

  write(bytes: Uint8Array): void {
    written += bytes.length;
    if (written < awaited.bytes) return;
    awaited.bytes = Infinity;
    awaited.resolve();
  }

  /** Breaks as a socket does that the peer has reset. */
  reset(): void {
    this.#sink!.fail(new Error("The peer has reset the connection"));
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

/** Resolves when so many bytes have been written in all. */
function whenWritten(bytes: number): Promise<void> | void {
  if (written >= bytes) return;
  return new Promise((resolve) => awaited = { bytes, resolve });
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/**
 * Calls `run`, which does some of the work and counts it, for a while; returns the microseconds of
 * processor time for one.
 */
async function time(ms: number, run: () => Promise<number>): Promise<number> {
  const before = process.cpuUsage();
  const end = performance.now() + ms;
  let count = 0;
  while (performance.now() < end) {
    count += await run();
    await turn(); // for timers, and what else wants the event loop
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function open(queue: AcceptQueue, capacity: number): Promise<SocketlessConn> {
  const conn = new SocketlessConn(capacity);
  queue.push(conn);
  await conn.opened;
  return conn;
}

async function openAll(
  queue: AcceptQueue,
  connections: number,
  capacity: number,
): Promise<SocketlessConn[]> {
  const conns: SocketlessConn[] = [];
  while (conns.length < connections) conns.push(await open(queue, capacity));
  return conns;
}

/** How often each connection has its turn before the event loop has one. */
const TURNS = 8;

/** Makes what echoes on each connection some times over. */
async function createEcho(
  queue: AcceptQueue,
  connections: number,
  { size, inFlight, isText }: EchoLoad,
): Promise<() => Promise<number>> {
  const batch = repeatFrame(requestFrame(size, isText), inFlight);
  const reply = echoFrame(size, isText).length * inFlight;
  const conns = await openAll(queue, connections, batch.length);
  return async () => {
    for (let i = 0; i < TURNS; i++) {
      const expected = written + conns.length * reply;
      for (const conn of conns) conn.give(batch);
      await whenWritten(expected);
    }
    return TURNS * conns.length * inFlight;
  };
}

/** Makes what sends so many messages at once to all connections some times over. */
async function createBroadcast(
  queue: AcceptQueue,
  connections: number,
  server: Server,
  { burst }: BroadcastLoad,
): Promise<() => Promise<number>> {
  const news = broadcastPayload();
  const each = echoFrame(news.length, false).length * burst;
  await openAll(queue, connections, 0);
  return async () => {
    for (let i = 0; i < TURNS; i++) {
      const expected = written + connections * each;
      for (let k = 0; k < burst; k++) server.broadcast(news);
      await whenWritten(expected);
    }
    return TURNS * connections * burst;
  };
}

/** Makes what opens a connection of each at once, and resets them. */
function createHandshakes(queue: AcceptQueue, connections: number): () => Promise<number> {
  const one = async (): Promise<void> => (await open(queue, 0)).reset();
  return async () => {
    await Promise.all(Array.from({ length: connections }, one));
    return connections;
  };
}

const work: Work = JSON.parse(process.argv[2]);
const connections = Number(process.argv[3]);
const queue = new AcceptQueue();
const listener: Listener = {
  addr: ADDR,
  secure: false,
  accept: () => queue.accept(),
  close: () => void queue.close(),
};
const server = process.argv[4] === "handlers"
  ? await serve({ listener }, { message: (session, message) => session.send(message) })
  : await serve({ listener }, async (session) => {
    for await (const message of session) await session.send(message);
  });
const run = work.kind === "echo"
  ? await createEcho(queue, connections, work)
  : work.kind === "broadcast"
  ? await createBroadcast(queue, connections, server, work)
  : createHandshakes(queue, connections);
await time(work.kind === "handshake" ? HANDSHAKES_WARM_UP : WARM_UP, run);
const rounds: number[] = [];
while (rounds.length < ROUNDS) rounds.push(await time(ROUND, run));
console.log(median(rounds));
process.exit();
