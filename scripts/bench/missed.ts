/** Which targets of the speed benchmark were missed, and what the same run says about why. @module */

import type { IdleRow } from "./idle.ts";
import { describeSpread, type SpeedRow } from "./throughput.ts";

/** What stands between ours and a target. */
export type Obstacle = "under" | "doubt" | "ours";

const HEADINGS: Readonly<Record<Obstacle, string>> = {
  under: "What stands under ours, and keeps none of its rules, misses these in every round",
  doubt: "It misses these in the middle of its rounds, but not in all of them",
  ours: "These are missed by what ours does besides",
};

/** A target that was missed. */
interface Missed {
  readonly obstacle: Obstacle;
  /** What there is to say about it. */
  readonly line: string;
}

/** What keeps a row from its target; `null` where it has none, or has reached it. */
export function obstacleOf({ ratio, target, most, mostInRound }: SpeedRow): Obstacle | null {
  if (target === null || ratio === null || ratio >= target) return null;
  if (most === null || mostInRound === null || most >= target) return "ours";
  return mostInRound < target ? "under" : "doubt";
}

/** All of them. */
export function missedTargets(
  speed: readonly SpeedRow[],
  idle: readonly IdleRow[],
): Missed[] {
  const missed: Missed[] = [];
  for (const row of speed) {
    const obstacle = obstacleOf(row);
    if (obstacle !== null) missed.push({ obstacle, line: describe(row) });
  }
  for (const { runtime, tcp, iteration, target } of idle) {
    const cost = iteration.live - tcp.live;
    if (cost <= target) continue;
    const line = `Memory: an idle connection on ${runtime} takes ${
      cost.toFixed(1)
    } of ${target} KiB`;
    missed.push({ obstacle: "ours", line });
  }
  return missed;
}

/** Lists in Markdown, by what stands in the way. */
export function describeMissed(missed: readonly Missed[]): string {
  const parts = Object.entries(HEADINGS).map(([obstacle, heading]) => {
    const lines = missed.filter((one) => one.obstacle === obstacle).map(({ line }) => `- ${line}`);
    return lines.length === 0 ? "" : `${heading}: ${lines.length}.\n\n${lines.join("\n")}`;
  });
  return parts.filter((part) => part !== "").join("\n\n");
}

function describe(
  { load, runtime, server, ratio, spread, target, most, room, own }: SpeedRow,
): string {
  const line = `${load}: ${server} on ${runtime} reaches ${nearly(ratio!, target!)} of ${target} ` +
    `(in single rounds ${describeSpread(spread)})`;
  if (most === null || room === null || own === null) return line;
  const left = room > 0 ? `leaves ${room.toFixed(2)} µs` : "leaves nothing";
  return `${line}; at most ${nearly(most, target!)} could be, which ${left} for ours; it takes ` +
    `${own.toFixed(2)}`;
}

/** With as many places as it takes to see whether it is less. */
function nearly(ratio: number, target: number): string {
  const short = ratio.toFixed(2);
  return Number(short) < target === ratio < target ? short : ratio.toFixed(4);
}
