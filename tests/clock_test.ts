import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { sharedTimers, systemClock, Timers } from "../src/clock.ts";
import { FakeClock } from "../src/fake_clock.ts";
import type { TcpAddr } from "../src/runtime/conn.ts";
import { dial, listen, runtimeName } from "../src/runtime/mod.ts";

test("Timers call back on time, at most 10 ms late", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const calls: [number, number][] = [];
  for (const ms of [1, 10, 11, 95, 500, 5, 30_000]) {
    timers.set(ms, () => calls.push([ms, clock.now()]));
  }
  await clock.advance(40_000);
  assertEquals(calls.map(([ms]) => ms), [1, 10, 5, 11, 95, 500, 30_000]);
  for (const [ms, at] of calls) {
    assertEquals(at >= ms && at <= ms + 10, true, `${ms} at ${at}`);
  }
});

test("Timers that are cancelled do not call, and none keeps the clock busy", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  let calls = 0;
  const all = [20, 30, 30, 40].map((ms) => timers.set(ms, () => calls++));
  assertEquals(clock.pending, 1);
  all[0].cancel();
  all[1].cancel();
  all[1].cancel();
  await clock.advance(35);
  assertEquals(calls, 1);
  all[3].cancel();
  all[2].cancel();
  assertEquals(clock.pending, 0);
  await clock.advance(100);
  assertEquals(calls, 1);
});

test("Timers of one slot may cancel each other, and set others, while they are called", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const calls: string[] = [];
  const late = (): void => void calls.push("set meanwhile");
  timers.set(10, () => {
    calls.push("first");
    second.cancel();
    third.cancel();
    timers.set(0, late);
  });
  const second = timers.set(10, () => calls.push("second"));
  timers.set(10, () => calls.push("another"));
  const third = timers.set(10, () => calls.push("third"));
  await clock.advance(10);
  assertEquals(calls.slice(0, 2), ["first", "another"]);
  await clock.advance(10);
  assertEquals([calls, clock.pending], [["first", "another", "set meanwhile"], 0]);
});

test("T-9 Any number of timers take one call of the clock", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  let calls = 0;
  for (let i = 0; i < 10_000; i++) timers.set(10 + i, () => calls++);
  assertEquals(clock.pending, 1);
  await clock.advance(5000);
  assertEquals(clock.pending, 1);
  await clock.advance(10_000);
  assertEquals([calls, clock.pending], [10_000, 0]);
});

test("Timers share a turn with all who ask while it is under way, also one that fails", async () => {
  let turns = 0;
  let isBroken = false;
  class OddClock extends FakeClock {
    override turn(): Promise<void> {
      turns++;
      return isBroken ? Promise.reject(new Error("no turn")) : super.turn();
    }
  }
  const timers = new Timers(new OddClock());
  await Promise.all([timers.sharedTurn(), timers.sharedTurn(), timers.sharedTurn()]);
  assertEquals(turns, 1);
  await Promise.all([timers.turn(), timers.turn()]);
  assertEquals(turns, 3);
  isBroken = true;
  await assertRejects(() => timers.sharedTurn(), Error, "no turn");
  isBroken = false;
  await timers.sharedTurn();
  assertEquals(turns, 5);
});

test("Timers with Infinity never call and schedule nothing", () => {
  const clock = new FakeClock();
  const timer = new Timers(clock).set(Infinity, () => {});
  assertEquals(clock.pending, 0);
  timer.cancel();
});

test("Timers set while others are called fall due in their turn", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const calls: number[] = [];
  timers.set(100, () => {
    calls.push(clock.now());
    timers.set(100, () => calls.push(clock.now()));
    timers.set(20, () => calls.push(clock.now()));
  });
  await clock.advance(1000);
  assertEquals(calls, [100, 120, 200]);
});

test("T-6 T-7 After a standstill, what fell due waits a moment longer", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const calls: number[] = [];
  timers.set(20_000, () => calls.push(20_000));
  timers.set(25_000, () => calls.push(25_000));
  await clock.standStill(600_000);
  assertEquals(calls, []); // read what has arrived first
  await clock.advance(1100);
  assertEquals(calls, [20_000]);
  await clock.advance(5000);
  assertEquals(calls, [20_000, 25_000]);
});

test("T-6 What is read after a standstill, before the timers have noticed, is not read in the future", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  timers.set(20_000, () => {});
  await clock.advance(15_000);
  const settled = clock.standStill(600_000);
  const noted = timers.now(); // as a socket's read does
  await settled;
  await clock.advance(100);
  const now = timers.now();
  assert(now > noted && now <= noted + 110, `${noted} was followed by ${now}`);
});

test("T-7 A call that comes late lets what has arrived be read first", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const calls: string[] = [];
  const first = timers.set(100, () => calls.push("first"));
  timers.set(100, () => calls.push("second"));
  await clock.standStill(600); // less than what counts as a standstill
  assertEquals(calls, []);
  first.cancel(); // by what was read
  await clock.advance(10);
  assertEquals([calls, clock.pending], [["second"], 0]);
});

test("The system's clock is monotonic and gives others a turn", async () => {
  const start = systemClock.now();
  let turns = 0;
  systemClock.schedule(0, () => turns++);
  for (let i = 0; i < 1000 && turns === 0; i++) await systemClock.turn();
  assertEquals(turns, 1);
  assertEquals(systemClock.now() >= start, true);
  const handle = systemClock.schedule(0, () => turns++);
  systemClock.cancel(handle);
  await new Promise<void>((resolve) => sharedTimers.set(15, resolve));
  assertEquals(turns, 1);
});

test("lately() is the time of the work in hand, on Deno one for all of it", async () => {
  const timers = new Timers(systemClock);
  const first = timers.lately();
  while (timers.now() < first + 5);
  if (runtimeName === "deno") assertEquals(timers.lately(), first);
  assert(timers.lately() <= timers.now());
  await Promise.resolve();
  await Promise.resolve();
  assert(timers.lately() >= first + 5);
});

test("lately() is now() for a clock of one's own", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  assertEquals(timers.lately(), 0);
  const advanced = clock.advance(7);
  assertEquals(timers.lately(), timers.now());
  await advanced;
  assertEquals(timers.lately(), 7);
});

test("A turn looks at sockets, also where what lies between two turns takes long", async () => {
  const listener = await listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as TcpAddr;
  const [client, server] = await Promise.all([
    dial({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  let isRead = false;
  const read = client.read().then(() => isRead = true);
  await server!.write(Uint8Array.of(1));
  let turns = 0;
  for (; !isRead && turns < 40; turns++) {
    for (const until = performance.now() + 25; performance.now() < until;);
    await systemClock.turn();
  }
  assert(turns <= 3, `${turns} turns`);
  for (const conn of [client, server!]) conn.close();
  listener.close();
  await read;
});

test("Turns that are asked for at once take no more rounds than one", async () => {
  await new Promise<void>((resolve) => sharedTimers.set(15, resolve));
  const original = globalThis.setImmediate;
  let callbacks = 0;
  globalThis.setImmediate = ((...args: Parameters<typeof original>) => {
    callbacks++;
    return original(...args);
  }) as typeof original;
  try {
    await Promise.all(Array.from({ length: 50 }, () => systemClock.turn()));
  } finally {
    globalThis.setImmediate = original;
  }
  assert(callbacks <= 61, `${callbacks} callbacks`);
});
