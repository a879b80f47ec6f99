/** Child processes that end in time. @module */

import { execFile } from "node:child_process";
import process from "node:process";

/** How a process ended, and what it said. */
export interface Ended {
  /** `null` if it was killed: it took too long. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds that a process may take, where nothing else is said. */
const PATIENCE = 60_000;

/** Runs a program in a folder to its end, or for at most `timeout` milliseconds. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  timeout: number = PATIENCE,
): Promise<Ended> {
  const options = {
    cwd,
    timeout,
    killSignal: "SIGKILL",
    maxBuffer: 100_000_000,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", NODE_NO_WARNINGS: "1" },
  } as const;
  return new Promise((resolve) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : child.exitCode;
      resolve({ status, stdout, stderr: stderr || (error?.message ?? "") });
    });
  });
}
