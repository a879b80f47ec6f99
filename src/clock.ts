/**
 * Time: the {@linkcode Clock} that everything is given, and one wheel of {@linkcode Timers} shared
 * by all sessions, so that ten thousand connections cost one system timer.
 *
 * @module
 */

import { ChurnMap } from "./churn_map.ts";
import { Linked, LinkedList } from "./linked_list.ts";
import { runtimeName } from "./runtime/mod.ts";

/**
 * Where time comes from. Tests give their own.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Clock } from "@twoway/websocket";
 * import { FakeClock } from "@twoway/websocket/testing";
 *
 * const sleep = (clock: Clock, ms: number): Promise<void> =>
 *   new Promise((resolve) => clock.schedule(ms, resolve));
 *
 * const clock = new FakeClock();
 * const woken = sleep(clock, 60_000).then(() => clock.now());
 * await clock.advance(60_000); // a minute passes at once
 * assertEquals(await woken, 60_000);
 * ```
 */
export interface Clock {
  /** Milliseconds since some moment, never going back. */
  now(): number;
  /** Calls `callback` once, `ms` milliseconds from now; returns what {@linkcode Clock.cancel} takes. */
  schedule(ms: number, callback: () => void): unknown;
  /** Forgets a call that {@linkcode Clock.schedule} promised. */
  cancel(handle: unknown): void;
  /** Resolves after other work of the event loop, sockets above all, had its turn. */
  turn(): Promise<void>;
}

declare const setImmediate: (callback: () => void) => unknown;

/** Milliseconds that immediate callbacks may follow one another on Deno. */
const DENO_BUSY = 5;

/** Rounds of its loop in which Deno looks at its sockets once: the default of tokio, its runtime. */
const DENO_ROUNDS = 61;

/**
 * As long as immediate callbacks follow one another, Deno looks at its sockets only once in 61 rounds
 * of its loop: the others' turn would not come. So every five milliseconds a turn takes so many rounds,
 * 0.1 ms if nobody has anything to do, and whoever asks meanwhile waits for the rest of them. Waiting for
 * another thread, or for a timer, does not make Deno look: both may be over before it has to wait.
 */
function createDenoTurn(): () => Promise<void> {
  let looked = -Infinity;
  let looking: Promise<void> | null = null;
  return () => {
    if (performance.now() - looked < DENO_BUSY) return immediate();
    return looking ??= new Promise((resolve) =>
      countRounds(DENO_ROUNDS, () => {
        looked = performance.now();
        looking = null;
        resolve();
      })
    );
  };
}

function countRounds(left: number, end: () => void): void {
  if (left === 0) end();
  else setImmediate(() => countRounds(left - 1, end));
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The clock of the machine: monotonic, so that setting the time of day changes nothing. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (ms, callback) => setTimeout(callback, ms),
  cancel: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  turn: runtimeName === "deno" ? createDenoTurn() : immediate,
};

/** Throws a `TypeError` unless this can be a clock, or is undefined. */
export function checkClock(clock: Clock | undefined): void {
  if (clock === undefined) return;
  for (const name of ["now", "schedule", "cancel", "turn"] as const) {
    if (typeof clock?.[name] === "function") continue;
    throw new TypeError(`Option clock has no function ${name}()`);
  }
}

/** A call that {@linkcode Timers} will make. */
export interface Timer {
  /** Forgets the call; does nothing once it has been made. */
  cancel(): void;
}

/** Timers that fall due within the same 10 ms share a slot. */
const SLOT = 10;

const settled = Promise.resolve();

/** A wheel that wakes later than this was stopped: the process, or the event loop. */
const STANDSTILL = 1000;

/** What everybody gets after a standstill, in ms: read what has arrived first, then judge. */
const GRACE = 1000;

class WheelTimer extends Linked<WheelTimer> implements Timer {
  readonly slot: number;
  readonly #callback: (argument: unknown) => void;
  readonly #argument: unknown;
  readonly #forget: (timer: WheelTimer) => void;

  constructor(
    slot: number,
    callback: (argument: unknown) => void,
    argument: unknown,
    forget: (timer: WheelTimer) => void,
  ) {
    super();
    this.slot = slot;
    this.#callback = callback;
    this.#argument = argument;
    this.#forget = forget;
  }

  call(): void {
    this.#callback(this.#argument);
  }

  cancel(): void {
    this.#forget(this);
  }
}

/** The one call that a wheel has scheduled. */
interface Wake {
  readonly slot: number;
  handle: unknown;
}

/**
 * Any number of timers on one scheduled call of the clock; none is scheduled while there are no
 * timers. Time stands still here while the process is stopped or its event loop is blocked, so that
 * nobody is timed out for what could not be read.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #slots = new ChurnMap<number, LinkedList<WheelTimer>>();
  /** The numbers of the slots, ascending; slots that have emptied are still listed. */
  #order: number[] = [];
  #wake: Wake | null = null;
  #turn: Promise<void> | null = null;
  readonly #turned = (): void => void (this.#turn = null);
  /** Milliseconds during which nothing could run. */
  #lost = 0;
  readonly #sharesLooks: boolean;
  /** The time for all that the event loop has found together. */
  #recent: number | null = null;
  readonly #forgetRecent = (): void => void (this.#recent = null);
  readonly #forget = (timer: WheelTimer): void => this.#remove(timer);

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sharesLooks = clock === systemClock && runtimeName === "deno";
  }

  /** Milliseconds, less those in which nothing could run; after these a moment goes by twice. */
  now(): number {
    const now = this.#clock.now() - this.#lost;
    if (this.#wake === null) return now;
    // Here, not when the call comes: sockets may be read first, and must not be noted as read at a
    // time that then never was.
    const late = now - this.#wake.slot * SLOT;
    if (late <= STANDSTILL) return now;
    this.#lost += late + GRACE;
    return now - late - GRACE;
  }

  /**
   * The same, or a little earlier: what the event loop has found together shares one look at the clock where
   * that costs as much as a short frame.
   */
  lately(): number {
    if (!this.#sharesLooks) return this.now();
    if (this.#recent === null) {
      this.#recent = this.now();
      void settled.then(this.#forgetRecent);
    }
    return this.#recent;
  }

  /** See {@linkcode Clock.turn}. */
  turn(): Promise<void> {
    return this.#clock.turn();
  }

  /**
   * Like {@linkcode Timers.turn}, but whoever asks while one is under way waits for the rest of it:
   * for the many that ask again and again.
   */
  sharedTurn(): Promise<void> {
    return this.#turn ??= this.turn().finally(this.#turned);
  }

  /**
   * Calls `callback` with `argument` once in `ms` milliseconds, at most 10 ms late; `Infinity` never
   * does. A callback that all sessions share, with the session as its argument, costs no closure.
   */
  set(ms: number, callback: () => void): Timer;
  set<T>(ms: number, callback: (argument: T) => void, argument: T): Timer;
  set(ms: number, callback: (argument: unknown) => void, argument?: unknown): Timer {
    const slot = ms === Infinity ? Infinity : Math.ceil((this.now() + ms) / SLOT);
    const timer = new WheelTimer(slot, callback, argument, this.#forget);
    if (slot === Infinity) return timer;
    (this.#slots.get(slot) ?? this.#addSlot(slot)).push(timer);
    return timer;
  }

  #addSlot(slot: number): LinkedList<WheelTimer> {
    const timers = new LinkedList<WheelTimer>();
    this.#slots.set(slot, timers);
    insert(this.#order, slot);
    this.#schedule();
    return timers;
  }

  #remove(timer: WheelTimer): void {
    const timers = timer.list;
    if (timers === null) return;
    timers.remove(timer);
    if (timers.size > 0 || this.#slots.get(timer.slot) !== timers) return; // or they are being called
    this.#slots.delete(timer.slot);
    if (this.#slots.size === 0) this.#schedule();
  }

  /** Sees to it that the clock calls when the first slot falls due, or not at all. */
  #schedule(): void {
    while (this.#order.length > 0 && !this.#slots.has(this.#order[0])) this.#order.shift();
    const first = this.#order.length === 0 ? null : this.#order[0];
    if (this.#wake !== null) {
      if (first !== null && this.#wake.slot <= first) return; // it will look again then
      this.#clock.cancel(this.#wake.handle);
      this.#wake = null;
    }
    if (first === null) return;
    const ms = Math.max(0, first * SLOT - this.now());
    const wake: Wake = { slot: first, handle: undefined };
    this.#wake = wake;
    wake.handle = this.#clock.schedule(ms, () => this.#wakeUp(wake));
  }

  /** A call that comes late has overtaken what sockets received meanwhile: that is read first. */
  #wakeUp(wake: Wake): void {
    const late = this.now() - wake.slot * SLOT;
    if (late <= 2 * SLOT) return this.#run();
    // Not a turn: on Deno that can be over before sockets are looked at.
    wake.handle = this.#clock.schedule(SLOT, () => this.#run());
  }

  #run(): void {
    const due = Math.floor(this.now() / SLOT);
    this.#wake = null;
    while (this.#order.length > 0 && this.#order[0] <= due) {
      const slot = this.#order.shift()!;
      const timers = this.#slots.get(slot);
      this.#slots.delete(slot);
      for (let timer = timers?.shift(); timer; timer = timers?.shift()) timer.call();
    }
    this.#schedule();
  }
}

/** Inserts a number that is not in `sorted` yet, most often at or near the end. */
function insert(sorted: number[], value: number): void {
  let at = sorted.length;
  while (at > 0 && sorted[at - 1] > value) at--;
  if (sorted[at - 1] !== value) sorted.splice(at, 0, value);
}

/** The timers of all sessions in this process. */
export const sharedTimers: Timers = new Timers(systemClock);
