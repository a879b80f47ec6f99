/** Which targets of the speed benchmark were missed, and what the same run says about why. @module */

import type { IdleRow } from "./idle.ts";
import { describeSpread, type SpeedRow } from "./throughput.ts";

/** What stands between ours and a target. */
export type Obstacle = "sockets" | "ours" | "nothing";

const HEADINGS: Readonly<Record<Obstacle, string>> = {
  sockets: "The runtime's sockets and what every message needs miss these without us (`at most`)",
  ours: "For these the sockets leave less than ours takes alone",
  nothing: "These are in reach",
};

/** A target that was missed. */
interface Missed {
  readonly obstacle: Obstacle;
  /** What there is to say about it. */
  readonly line: string;
}

/** What keeps a row from its target; `null` where it has none, or has reached it. */
export function obstacleOf(
  { ratio, target, most, alone, room }: SpeedRow,
): Obstacle | null {
  if (target === null || ratio === null || ratio >= target) return null;
  if (most !== null && most < target) return "sockets";
  return room !== null && alone !== null && room < alone ? "ours" : "nothing";
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
    missed.push({ obstacle: "nothing", line });
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
  { load, runtime, server, ratio, spread, target, most, alone, room }: SpeedRow,
): string {
  const line = `${load}: ${server} on ${runtime} reaches ${ratio!.toFixed(2)} of ${target} ` +
    `(in single rounds ${describeSpread(spread)})`;
  if (most === null || room === null) return line;
  const left = room > 0 ? `${room.toFixed(2)} µs` : "nothing";
  return `${line}; at most ${most.toFixed(2)} could be: the sockets leave ${left} for ours` +
    (alone === null ? "" : `, which takes ${alone.toFixed(2)} alone`);
}
