/**
 * A loop with a fixed number of steps per second, which does not drift: late timers are made up for by
 * more steps at once, and after a long pause time is skipped, not made up for.
 *
 * @module
 */

import type { Clock } from "../mod.ts";

/** Steps made at once at most: what is due beyond them is left out. */
export const MAX_CATCH_UP = 5;

/** Of a clock, what the loop needs. */
export type LoopClock = Pick<Clock, "now" | "schedule" | "cancel">;

const SYSTEM_CLOCK: LoopClock = {
  now: () => performance.now(),
  schedule: (ms, callback) => setTimeout(callback, ms),
  cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/**
 * Calls `run(steps)` with the number of steps that are due, `rate` per second in the long run. Returns
 * what ends it.
 */
export function startLoop(
  rate: number,
  run: (steps: number) => void,
  clock: LoopClock = SYSTEM_CLOCK,
): () => void {
  const interval = 1000 / rate;
  let start = clock.now();
  let done = 0;
  let timer = clock.schedule(Math.ceil(interval), wake);

  function wake(): void {
    const now = clock.now();
    // Counted from the start, so that no error adds up.
    const due = Math.floor((now - start) / interval) - done;
    const steps = Math.min(due, MAX_CATCH_UP);
    if (due > MAX_CATCH_UP) [start, done] = [now, 0];
    else done += steps;
    // Rounded up: some timers cut off the fraction, and would come before anything is due.
    timer = clock.schedule(Math.max(1, Math.ceil(start + (done + 1) * interval - now)), wake);
    if (steps > 0) run(steps);
  }

  return () => clock.cancel(timer);
}
