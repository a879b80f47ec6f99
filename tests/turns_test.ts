import { assertEquals } from "@std/assert";
import { beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers";
import { Timers } from "../src/clock.ts";
import { FakeClock } from "../src/fake_clock.ts";
import { Turns } from "../src/turns.ts";
import { frame, type RawFrame, wire } from "./core/wire.ts";
import { type PairOptions, sessionAndPeer } from "./session_pair.ts";
import { settle } from "./settle.ts";

const LIMITS = { turnFrames: 64, turnBytes: 1000, turnTime: 5 };

/** Time passes, and turns come, when a test says so. */
class ClockByHand extends FakeClock {
  time = 0;
  asked = 0;
  #had: PromiseWithResolvers<void> | null = null;

  override now(): number {
    return this.time;
  }

  override turn(): Promise<void> {
    this.asked++;
    this.#had = Promise.withResolvers();
    return this.#had.promise;
  }

  /** The others have their turn, or the clock fails. */
  async giveTurn(error?: Error): Promise<void> {
    const had = this.#had;
    this.#had = null;
    if (error === undefined) had?.resolve();
    else had?.reject(error);
    await settle();
  }
}

describe("Turns", () => {
  let clock: ClockByHand;
  let timers: Timers;
  let turns: Turns;
  let onTurn: () => void;

  beforeEach(() => {
    clock = new ClockByHand();
    onTurn = () => {};
    timers = new Timers(clock);
    turns = createTurns();
  });

  function createTurns(): Turns {
    return new Turns({ options: { limits: LIMITS }, timers, onTurn: () => onTurn() });
  }

  /** Works on up to so many frames, each of which takes `ms`; returns how many there was time for. */
  function work(frames: number, ms: number = 0): number {
    for (let count = 0; count < frames; count++) {
      if (!turns.hasTime()) return count;
      clock.time += ms;
      turns.worked();
    }
    return frames;
  }

  /** Reads of so many bytes and frames that come in a row until one has to wait. */
  function readsInARow(size: number, frames: number, ms: number = 0): number {
    for (let count = 0; count < 1000; count++) {
      turns.received(size, clock.now());
      if (work(frames) < frames) return count;
      clock.time += ms;
    }
    return 1000;
  }

  test("let others work behind turnFrames, and then go on", async () => {
    let count = 0;
    onTurn = () => count++;
    turns.received(10, clock.now());
    assertEquals(work(100), 64);
    assertEquals([turns.isYielding, turns.hasTime(), count], [true, false, 0]);
    await clock.giveTurn();
    assertEquals([turns.isYielding, count], [false, 1]);
    assertEquals(work(100), 64);
  });

  test("look before every eighth frame whether turnTime is over, since the read", () => {
    clock.time = 100;
    turns.received(10, clock.now());
    assertEquals(work(100, 0.2), 31); // 4.6 ms before the 24th, 6.2 before the 32nd
  });

  test("have turnTime again from the end of others' turn on", async () => {
    turns.received(10, clock.now());
    assertEquals(work(100, 1), 7);
    clock.time += 100;
    await clock.giveTurn();
    assertEquals(work(100, 0.2), 31);
  });

  test("work on the read that makes it turnBytes; the next waits", async () => {
    assertEquals(readsInARow(100, 1), 10);
    assertEquals([turns.isYielding, clock.asked], [true, 1]);
    await clock.giveTurn();
    assertEquals([turns.isYielding, work(1)], [false, 1]);
    assertEquals(readsInARow(100, 1), 9); // the one that has waited counts
  });

  test("work on the read behind those of turnFrames; the next waits", async () => {
    assertEquals(readsInARow(1, 1), 65);
    await clock.giveTurn();
    assertEquals(work(1), 1);
    assertEquals(readsInARow(1, 1), 64);
    assertEquals(clock.asked, 2);
  });

  test("look behind eight frames whether they have taken turnTime", async () => {
    assertEquals(readsInARow(1, 1, 3), 9);
    await clock.giveTurn();
    assertEquals(work(1), 1);
    assertEquals(readsInARow(1, 1, 0.5), 11); // 5 ms from the one that has waited
  });

  test("are held one by one where each is turnBytes", async () => {
    turns.received(5000, clock.now());
    for (let reads = 0; reads < 5; reads++) {
      assertEquals(work(1), 1);
      turns.received(5000, clock.now());
      assertEquals(work(1), 0);
      await clock.giveTurn();
    }
    assertEquals(clock.asked, 6);
  });

  test("wait for nobody where the others have their turn before more comes", async () => {
    onTurn = () => {
      throw new Error("Nothing has waited");
    };
    for (let reads = 0; reads < 100; reads++) {
      turns.received(1000, clock.now());
      assertEquals(work(63), 63);
      clock.time += 100;
      await clock.giveTurn();
    }
    assertEquals(clock.asked, 100);
  });

  test("ask for no turn before it is needed", async () => {
    turns.received(500, clock.now());
    assertEquals([work(40), clock.asked], [40, 0]);
    clock.time += 100;
    turns.received(500, clock.now());
    assertEquals([work(40), clock.asked], [40, 1]);
    await clock.giveTurn();
    clock.time += 100;
    for (let reads = 0; reads < 9; reads++) {
      turns.received(111, clock.now());
      assertEquals([work(1), clock.asked], [1, 1]);
    }
  });

  test("share the others' turn with other sessions", () => {
    const others = createTurns();
    for (const each of [turns, others]) each.received(5000, clock.now());
    assertEquals(clock.asked, 1);
  });

  test("have one turn of the others for all reasons together", async () => {
    turns.received(5000, clock.now()); // asks for it
    assertEquals(work(100), 64); // and has to wait for it
    let count = 0;
    onTurn = () => {
      count++;
      work(1000);
    };
    await clock.giveTurn();
    assertEquals([count, clock.asked], [1, 2]);
  });

  test("go on where the clock fails", async () => {
    readsInARow(100, 1);
    await clock.giveTurn(new Error("no turn"));
    assertEquals([turns.isYielding, work(1)], [false, 1]);
  });
});

describe("a session's turn", () => {
  /** How many messages come to the user in a row, of all these; the peer writes them as one. */
  async function runsOf(messages: RawFrame[], options: PairOptions = {}): Promise<number[]> {
    const runs: number[] = [];
    let isRunning = false;
    const count = (): void => {
      if (!isRunning) {
        runs.push(0);
        setImmediate(() => isRunning = false);
      }
      isRunning = true;
      runs[runs.length - 1]++;
    };
    const handlers = { message: count };
    const { session, peer } = sessionAndPeer("server", { ...options, handlers });
    await peer.write(wire("server", ...messages));
    for (let rounds = 0; rounds < 10; rounds++) await settle();
    session.abort();
    return runs;
  }

  test("is 64 messages of any kind, each of which counts once", async () => {
    for (const message of ["short", "é", new Uint8Array(200)]) {
      const opcode = typeof message === "string" ? 0x81 : 0x82;
      assertEquals(await runsOf(Array(100).fill(frame(opcode, message))), [64, 36]);
    }
  });

  test("is 65 where each comes in a read of its own, and all in a row", async () => {
    const short = frame(0x81, "short");
    const memory = { cut: () => wire("server", short).length };
    assertEquals(await runsOf(Array(150).fill(short), { memory }), [65, 65, 20]);
  });

  test("is 64 where they are a read, whose end is no reason to go on with the next", async () => {
    const short = frame(0x81, "short");
    const memory = { cut: () => 64 * wire("server", short).length };
    assertEquals(await runsOf(Array(150).fill(short), { memory }), [64, 64, 22]);
  });

  test("is turnBytes, and the read that makes it that", async () => {
    const long = frame(0x82, new Uint8Array(492));
    const memory = { cut: () => 500 };
    const limits = { turnBytes: 1000 };
    assertEquals(await runsOf(Array(9).fill(long), { memory, limits }), [2, 2, 2, 2, 1]);
  });
});
