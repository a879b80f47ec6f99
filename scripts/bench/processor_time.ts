/** What a process has cost. @module */

import { readFileSync } from "node:fs";

/** Microseconds that all threads of a process have used, in steps of 10 000. */
export function processorTime(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000; // utime and stime, see proc(5)
  } catch {
    return null;
  }
}
