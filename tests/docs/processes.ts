/** Runs a program to its end, or until it has said enough; bounded either way. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";

/** A program to run. */
export interface ProgramInit {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether this output is all that is wanted; then the program is asked to end (SIGTERM). */
  readonly isEnough?: (output: string) => boolean;
}

/** What came of it. */
export interface ProgramResult {
  /** The exit status; `null` if it was ended. */
  readonly status: number | null;
  /** Whether it said enough, and was therefore ended. */
  readonly stopped: boolean;
  /** Whether it took too long, and was killed. */
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** The longest that a program may take, in milliseconds. */
const PATIENCE = 20_000;
/** How long it may take to end once it is asked to. */
const GRACE = 2_000;

/** Runs a program. It stays in the process group of the tests, and so ends with them at the latest. */
export async function runProgram(init: ProgramInit): Promise<ProgramResult> {
  const child = spawn(init.command, init.args, {
    cwd: init.cwd,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...init.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const result = { stopped: false, timedOut: false, stdout: "", stderr: "" };
  const timers = [setTimeout(() => {
    result.timedOut = true;
    signal(child, "SIGKILL");
  }, PATIENCE)];
  const look = () => {
    if (result.stopped || !init.isEnough?.(result.stdout + result.stderr)) return;
    result.stopped = true;
    signal(child, "SIGTERM");
    timers.push(setTimeout(() => signal(child, "SIGKILL"), GRACE));
  };
  child.stdout.setEncoding("utf8").on("data", (text) => (result.stdout += text, look()));
  child.stderr.setEncoding("utf8").on("data", (text) => (result.stderr += text, look()));
  const [status] = await once(child, "close") as [number | null];
  timers.forEach(clearTimeout);
  return { ...result, status };
}

/** Not `child.kill()`: under Deno that reports the signal in place of the exit status. */
function signal(child: ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(child.pid!, name);
  } catch {
    // It has ended meanwhile.
  }
}
