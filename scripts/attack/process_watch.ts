/**
 * What the system tells of a process: its memory, the most it had, its open files; and of the core that
 * it runs on.
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Resident memory in MiB: now, and the most since {@linkcode forgetPeak}. */
export interface Memory {
  readonly now: number;
  readonly peak: number;
}

/** `null` where the system does not tell it (Linux does), or the process is gone. */
export function readMemory(pid: number): Memory | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const mebibytes = (name: string) => Number(status.match(`${name}:\\s+(\\d+) kB`)![1]) / 1024;
    return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") };
  } catch {
    return null;
  }
}

/**
 * Starts the peak anew at what the process has now. The kernel keeps it, so that none is missed
 * between two looks; returns `false` where it can't.
 */
export function forgetPeak(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
    return true;
  } catch {
    return false;
  }
}

/** How many files and sockets a process has open; `null` where the system does not tell it. */
export function countFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null;
  }
}

/**
 * Milliseconds that a core was due to work and another machine on the same host had it, in steps of 10;
 * `null` where the system does not tell it.
 */
export function stolenTime(core: number): number | null {
  try {
    const lines = readFileSync("/proc/stat", "latin1").split("\n");
    const fields = lines.find((line) => line.startsWith(`cpu${core} `))!.split(" ");
    return Number(fields[8]) * 10; // "steal", see proc(5)
  } catch {
    return null;
  }
}
