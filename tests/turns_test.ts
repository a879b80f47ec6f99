import { assertEquals } from "@std/assert";
import { beforeEach, describe, test } from "node:test";
import { Timers } from "../src/clock.ts";
import { FakeClock } from "../src/fake_clock.ts";
import { Turns } from "../src/turns.ts";
import { frame, type RawFrame, wire } from "./core/wire.ts";
import { sessionAndPeer } from "./session_pair.ts";
import { settle } from "./settle.ts";

const LIMITS = { turnFrames: 64, turnBytes: 1000, turnTime: 5 };

describe("Turns", () => {
  let clock: FakeClock;
  let timers: Timers;
  let turns: Turns;
  let taken: { count: number };

  beforeEach(() => {
    clock = new FakeClock();
    timers = new Timers(clock);
    const own = taken = { count: 0 }; // a turn may come when its test is over
    turns = new Turns({ options: { limits: LIMITS }, timers, onTurn: () => own.count++ });
  });

  /** Works on frames, each of which takes `ms`, until it is others' turn; returns how many. */
  async function work(frames: number, ms: number = 0): Promise<number> {
    for (let count = 0; count < frames; count++) {
      if (!turns.hasTime()) return count;
      if (ms > 0) await clock.advance(ms);
      turns.worked();
    }
    return frames;
  }

  async function othersTurn(): Promise<void> {
    assertEquals(turns.isYielding, true);
    await clock.advance(0);
    assertEquals([turns.isYielding, taken.count], [false, 1]);
  }

  test("lets others work behind turnFrames, and then goes on", async () => {
    turns.received(10, timers.now());
    assertEquals(await work(100), 64);
    assertEquals(turns.hasTime(), false);
    await othersTurn();
    assertEquals(await work(100), 64);
  });

  test("counts frames anew with each read", async () => {
    for (let reads = 0; reads < 10; reads++) {
      turns.received(10, timers.now());
      assertEquals(await work(63), 63);
    }
  });

  test("lets others work behind turnBytes, over all reads", async () => {
    turns.received(999, timers.now());
    assertEquals(await work(3), 3);
    turns.received(1, timers.now());
    assertEquals(await work(3), 0);
    await othersTurn();
    assertEquals(await work(3), 3);
  });

  test("looks before every eighth frame whether turnTime is over, since the read", async () => {
    await clock.advance(100);
    turns.received(10, timers.now());
    assertEquals(await work(100, 0.2), 31); // 4.6 ms before the 24th, 6.2 before the 32nd
  });

  test("has turnTime again from the end of others' turn on", async () => {
    turns.received(10, timers.now());
    assertEquals(await work(100, 1), 7);
    await othersTurn();
    assertEquals(await work(100, 0.2), 31);
  });
});

describe("a session's turn", () => {
  /** How many of 100 such messages, all in one read, come to the user in a row. */
  async function runsOf(message: RawFrame): Promise<number[]> {
    const runs: number[] = [];
    let isRunning = false;
    const count = (): void => {
      if (!isRunning) {
        runs.push(0);
        queueMicrotask(() => isRunning = false);
      }
      isRunning = true;
      runs[runs.length - 1]++;
    };
    const { session, peer } = sessionAndPeer("server", { handlers: { message: count } });
    await peer.write(wire("server", ...Array(100).fill(message)));
    await settle();
    session.abort();
    return runs;
  }

  test("is 64 messages of any kind, each of which counts once", async () => {
    assertEquals(await runsOf(frame(0x81, "short")), [64, 36]);
    assertEquals(await runsOf(frame(0x81, "é")), [64, 36]);
    assertEquals(await runsOf(frame(0x82, new Uint8Array(200))), [64, 36]);
  });
});
