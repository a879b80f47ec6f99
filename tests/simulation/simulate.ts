/**
 * Plays one seed: a client and a server over a connection with bad luck, calls of the API in any
 * order, and a model that knows what must hold whatever happens.
 *
 * ```sh
 * deno run -A tests/simulation/simulate.ts --seed 1234
 * ```
 *
 * prints what happened; `bun` and `node` do the same.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { Compression } from "../../src/compression.ts";
import { Timers } from "../../src/clock.ts";
import type { CloseStatus } from "../../src/core/close.ts";
import type { Message } from "../../src/core/message.ts";
import type { Role } from "../../src/core/receiver.ts";
import { ClosedError } from "../../src/errors.ts";
import { FakeClock } from "../../src/fake_clock.ts";
import { resolveSessionOptions } from "../../src/options.ts";
import { faultScript } from "../../src/runtime/faults.ts";
import { type MemoryConn, memoryPair } from "../../src/runtime/memory.ts";
import { sharedBuffers } from "../../src/core/buffer_pool.ts";
import { PushedConn } from "../other_conns.ts";
import type { WebSocketSession } from "../../src/session.ts";
import { Random } from "../fuzz/random.ts";
import { createSession, type PairOptions } from "../session_pair.ts";

/** Small queues, so that they are full now and then. */
const LIMITS = { maxSendBacklog: 900_000, maxMessageSize: 500_000, receiveQueue: 4 };

/** Long messages, which compressors take their time for. */
const LONG = 300_000;

/** How a side takes its messages. */
type Consumer = "calls" | "iteration" | "handlers";

/** How long, in seconds of the clock, everything may take to end by itself. */
const PATIENCE = 300;

/** The option's default, in milliseconds. */
const CLOSE_TIMEOUT = 10_000;

/** One side, what it has done, and what came of it. */
class Side {
  readonly role: Role;
  readonly consumer: Consumer;
  readonly sent: string[] = [];
  readonly received: string[] = [];
  /** What `sent` held when this side called close(), or learnt of the end. */
  sentBeforeEnd = 0;
  hasClosed = false;
  hasAborted = false;
  closeCalls = 0;
  /** When the session ended, when its handler was told, and how many messages it had had then. */
  endedAt = 0;
  toldAt = 0;
  toldBehind = 0;
  status: CloseStatus | null = null;
  /** Promises that must settle, by what they are. */
  readonly pending = new Map<number, string>();
  #count = 0;
  session!: WebSocketSession;

  constructor(role: Role, consumer: Consumer) {
    this.role = role;
    this.consumer = consumer;
  }

  /** Notes a promise; only documented errors may reject it. */
  watch(what: string, promise: Promise<unknown>, log: (line: string) => void): void {
    const number = this.#count++;
    this.pending.set(number, what);
    promise.then(
      () => this.pending.delete(number),
      (error) => {
        this.pending.delete(number);
        if (!(error instanceof ClosedError)) throw error;
        log(`${this.role}: ${what} rejected`);
      },
    ).catch((error) => this.wrong = error);
  }

  /** An error that is not documented. */
  wrong: unknown = undefined;
}

/** One run of one seed. */
export class Simulation {
  readonly #random: Random;
  readonly #clock = new FakeClock();
  readonly #lines: string[] = [];
  readonly #sides: readonly [Side, Side];
  readonly #conns: readonly [MemoryConn, MemoryConn];
  readonly #hasBreaks: boolean;
  readonly #usedBuffers = sharedBuffers.used;

  constructor(seed: number) {
    const random = this.#random = new Random(seed);
    this.#hasBreaks = random.oneIn(2);
    const memory = faultScript(seed, { breaks: this.#hasBreaks, turn: () => this.#clock.turn() });
    this.#conns = memoryPair(memory);
    const kinds: readonly Consumer[] = ["calls", "iteration", "handlers"];
    this.#sides = [
      new Side("client", random.pick(kinds)),
      new Side("server", random.pick(kinds)),
    ];
    const takeover = random.oneIn(3) ? random.oneIn(2) : null;
    for (const [i, side] of this.#sides.entries()) this.#open(side, this.#conns[i], takeover);
    this.#log(`${this.#sides.map(({ role, consumer }) => `${role} by ${consumer}`).join(", ")}`);
  }

  #log(line: string): void {
    this.#lines.push(`${String(this.#clock.now()).padStart(6)} ${line}`);
  }

  #open(side: Side, conn: MemoryConn, takeover: boolean | null): void {
    const options: PairOptions = {
      limits: LIMITS,
      ...this.#consume(side),
      onError: (error) => side.wrong ??= error,
      compression: takeover === null ? null : this.#compression(side.role, takeover),
    };
    const onChanged = (): void => void (side.wrong ??= "changed bytes that were under way");
    const pushes = this.#random.oneIn(2);
    side.session = createSession(
      pushes ? new PushedConn(conn, onChanged) : conn,
      side.role,
      this.#clock,
      options,
    );
    side.session.closed.then((status) => {
      side.endedAt = this.#clock.now();
      if (side.status !== null) side.wrong = new Error("closed settled twice");
      side.status = status;
      this.#log(`${side.role}: closed ${status.code} ${status.wasClean ? "clean" : "not clean"}`);
    });
  }

  #compression(role: Role, takeover: boolean): Compression {
    const params = {
      serverNoContextTakeover: !takeover,
      clientNoContextTakeover: !takeover,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    };
    const { compress } = resolveSessionOptions({ compress: { threshold: 100 } });
    if (compress === false) throw new Error("never");
    return new Compression(role, params, compress, new Timers(this.#clock), () => {});
  }

  #consume(side: Side): Pick<PairOptions, "handlers" | "run"> {
    const pauses = this.#random.oneIn(2);
    const pause = async (): Promise<void> => {
      while (pauses && this.#random.oneIn(3)) await this.#clock.turn();
    };
    const close = (): void => {
      side.closeCalls++;
      side.toldAt = this.#clock.now();
      side.toldBehind = side.received.length;
    };
    if (side.consumer === "handlers") {
      const message = async (_: WebSocketSession, message: Message): Promise<void> => {
        this.#receive(side, message);
        await pause();
      };
      return { handlers: { message, close } };
    }
    if (side.consumer === "calls") return {};
    const leavesOpen = new Promise<void>(() => {});
    return {
      run: async (session) => {
        for await (const message of session) {
          this.#receive(side, message);
          await pause();
        }
        await leavesOpen; // returning would close the session; that is a call like others
      },
    };
  }

  #receive(side: Side, message: Message): void {
    side.received.push(describe(message));
    this.#log(`${side.role}: received ${describe(message)}`);
  }

  /** Plays all of it; resolves with what happened, rejects if the model finds a fault. */
  async run(): Promise<string[]> {
    try {
      for (let count = 3 + this.#random.size(60); count > 0; count--) await this.#step();
      await this.#finish();
      this.#check();
      return this.#lines;
    } catch (error) {
      throw Object.assign(error as Error, { lines: this.#lines });
    }
  }

  async #step(): Promise<void> {
    const side = this.#random.pick(this.#sides);
    const random = this.#random;
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        for (let count = 1 + random.size(6); count > 0; count--) this.#send(side);
        break;
      case 6:
      case 7:
        if (side.consumer === "calls") this.#callReceive(side);
        break;
      case 8:
        side.watch("ping", side.session.ping(), (line) => this.#log(line));
        break;
      case 9:
        if (random.oneIn(4)) this.#close(side);
        break;
      case 10:
        if (random.oneIn(20)) this.#abort(side);
        break;
      case 11:
        await this.#clock.advance(random.oneIn(6) ? random.below(60_000) : random.below(500));
        break;
      case 12:
        if (this.#hasBreaks && random.oneIn(15)) this.#break(side);
        break;
      default:
        for (let turns = random.below(4); turns > 0; turns--) await this.#clock.turn();
    }
    this.#checkBounds();
  }

  #send(side: Side): void {
    const random = this.#random;
    const size = random.oneIn(60) ? LONG : random.size(random.oneIn(8) ? 100_000 : 2000);
    const isText = random.oneIn(2);
    const bytes = random.oneIn(3)
      ? random.bytes(Math.min(size, 3000))
      : new Uint8Array(size).fill(random.below(128));
    const message = isText ? Array.from(bytes.subarray(0, 500), (b) => b & 63).join(" ") : bytes;
    const isOver = side.hasClosed || side.status !== null;
    const promise = side.session.send(message);
    if (!isOver) side.sent.push(describe(message));
    this.#log(`${side.role}: send ${describe(message)}`);
    side.watch("send", promise, (line) => this.#log(line));
    if (!isText) bytes.fill(1); // it counts as it was
  }

  #callReceive(side: Side): void {
    const promise = side.session.receive().then((message) => {
      if (message !== null) this.#receive(side, message);
    });
    side.watch("receive", promise, (line) => this.#log(line));
  }

  #close(side: Side): void {
    if (!side.hasClosed) side.sentBeforeEnd = side.sent.length;
    side.hasClosed = true;
    const code = this.#random.pick([undefined, 1000, 3000, 4999]);
    this.#log(`${side.role}: close ${code}`);
    side.watch("close", side.session.close(code), (line) => this.#log(line));
  }

  #abort(side: Side): void {
    side.hasAborted = true;
    this.#log(`${side.role}: abort`);
    side.session.abort(new Error("enough"));
  }

  #break(side: Side): void {
    const conn = this.#conns[this.#sides.indexOf(side)];
    if (this.#random.oneIn(2)) {
      this.#log(`${side.role}: its connection is reset`);
      conn.reset();
    } else {
      this.#log(`${side.role}: its direction ends`);
      conn.closeWrite().catch(() => {});
    }
  }

  #checkBounds(): void {
    for (const { session, role } of this.#sides) {
      const most = LIMITS.maxSendBacklog + LONG;
      if (session.bufferedAmount > most) throw new Error(`${role}: a backlog past its limit`);
    }
  }

  /** Everybody reads to the end and closes; then everything must come to an end. */
  async #finish(): Promise<void> {
    for (const side of this.#sides) if (side.consumer === "calls") void this.#readOn(side);
    for (const side of this.#sides) if (this.#random.oneIn(2)) this.#close(side);
    for (let second = 0; second < PATIENCE; second++) {
      await this.#clock.advance(1000);
      if (this.#sides.every((side) => side.status !== null && side.closeCalls === wanted(side))) {
        break;
      }
      if (second === 100) {
        for (const side of this.#sides) if (!side.hasClosed) this.#close(side);
      }
    }
    await this.#clock.advance(1000);
    await this.#clock.settle();
  }

  async #readOn(side: Side): Promise<void> {
    for (;;) {
      const message = await side.session.receive();
      if (message === null) return;
      this.#receive(side, message);
      await this.#clock.turn();
    }
  }

  #check(): void {
    const [client, server] = this.#sides;
    for (const side of this.#sides) {
      if (side.wrong !== undefined) throw new Error(`${side.role}: ${side.wrong}`);
      if (side.status === null) throw new Error(`${side.role}: never closed`);
      if (side.pending.size > 0) {
        throw new Error(`${side.role}: never settled: ${[...side.pending.values()]}`);
      }
      if (side.closeCalls !== wanted(side)) {
        throw new Error(`${side.role}: ${side.closeCalls} close calls`);
      }
      const waited = side.toldAt - side.endedAt;
      const isBehindAll = side.toldBehind === side.received.length;
      if (side.closeCalls > 0 && !isBehindAll && waited < CLOSE_TIMEOUT) {
        throw new Error(`${side.role}: told of its end before its last message`);
      }
    }
    checkDelivery(client, server);
    checkDelivery(server, client);
    if (sharedBuffers.used !== this.#usedBuffers) throw new Error("a buffer was not given back");
    if (this.#clock.pending > 0) throw new Error(`${this.#clock.pending} timers are left`);
  }
}

/** How often its close handler is to be called. */
function wanted({ consumer }: Side): number {
  return consumer === "handlers" ? 1 : 0;
}

/** What arrived is the beginning of what was sent; after a clean close all of it. */
function checkDelivery(from: Side, to: Side): void {
  for (const [i, message] of to.received.entries()) {
    if (message === from.sent[i]) continue;
    throw new Error(`${to.role} received ${message} as number ${i}, not ${from.sent[i]}`);
  }
  // Whoever closes first need not hear the rest; whoever is closed to has heard everything.
  const isAll = from.status!.wasClean && to.status!.wasClean && from.hasClosed && !to.hasClosed;
  if (!isAll || from.hasAborted || to.hasAborted || to.received.length >= from.sentBeforeEnd) {
    return;
  }
  throw new Error(`${to.role} received ${to.received.length} of ${from.sentBeforeEnd} messages`);
}

/** A message as one word that tells it from others. */
function describe(message: Message | Uint8Array): string {
  let sum = 0;
  for (let i = 0; i < message.length; i++) {
    const value = typeof message === "string" ? message.charCodeAt(i) : message[i];
    sum = (Math.imul(sum, 31) + value) >>> 0;
  }
  return `${typeof message === "string" ? "text" : "binary"} of ${message.length} (${
    sum.toString(16)
  })`;
}

/** The first of these seeds that fails, with what happened, or `null`. */
export async function simulate(
  from: number,
  to: number,
): Promise<{ seed: number; error: Error; lines: readonly string[] } | null> {
  for (let seed = from; seed < to; seed++) {
    try {
      await new Simulation(seed).run();
    } catch (error) {
      return { seed, error: error as Error, lines: (error as { lines: string[] }).lines };
    }
  }
  return null;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: { seed: { type: "string" }, seeds: { type: "string" } },
  });
  const from = Number(values.seed ?? 0);
  const started = performance.now();
  if (values.seeds === undefined) {
    console.log((await new Simulation(from).run()).join("\n"));
    return;
  }
  const fault = await simulate(from, from + Number(values.seeds));
  if (fault === null) {
    console.log(`${values.seeds} seeds, ${Math.round(performance.now() - started)} ms`);
  } else {
    console.log(fault.lines.join("\n"));
    console.log(`seed ${fault.seed}: ${fault.error.stack}`);
    process.exitCode = 1;
  }
}

if ((import.meta as { main?: boolean }).main) await main();
