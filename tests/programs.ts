/** Starts the examples as a user would: in a process of their own. @module */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { runtimeCommand, type RuntimeName } from "./toolchain.ts";

/** A running example. */
export interface Program {
  /** The address that it has printed. */
  readonly url: string;
  readonly process: ChildProcess;
  /** Resolves with the exit status; `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Asks it to end (SIGTERM); resolves with its exit status, `null` if it had to be killed. */
  stop(): Promise<number | null>;
}

/** What a program that has ended said. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds for a program to start, and to end. */
const PATIENCE = 15_000;

/** Starts an example with only the permission that its users give it, and waits for its address. */
export async function startExample(
  runtime: RuntimeName,
  script: string,
  args: readonly string[],
): Promise<Program> {
  const { command, args: all } = runtimeCommand(runtime, script, args, ["-N"]);
  return await startProgram(command, all);
}

/** Starts a program that prints the address it listens on, and waits for that. */
export async function startProgram(command: string, args: readonly string[]): Promise<Program> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit").then(([status]) => status as number | null);
  const url = await readAddress(child);
  return {
    url,
    process: child,
    ended,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return await ended;
      // Not child.kill(): under Deno that reports the signal in place of the exit status.
      process.kill(child.pid!, "SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      const status = await ended;
      clearTimeout(timer);
      return status;
    },
  };
}

function readAddress(child: ChildProcess): Promise<string> {
  let output = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    child.stderr!.on("data", (data) => output += data);
    child.stdout!.on("data", (data) => {
      output += data;
      const url = /\b(?:ws|http):\/\/\S+(?=\s)/.exec(output)?.[0];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once("close", () => {
      clearTimeout(timer);
      reject(new Error(`The program ended before it was ready: ${output}`));
    });
  });
}

/** Runs an example to its end. */
export async function runExample(
  runtime: RuntimeName,
  script: string,
  args: readonly string[],
): Promise<Outcome> {
  const { command, args: all } = runtimeCommand(runtime, script, args, ["-N"]);
  const child = spawn(command, all, { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => stdout += data);
  child.stderr.on("data", (data) => stderr += data);
  const [status] = await once(child, "close") as [number | null];
  clearTimeout(timer);
  return { status, stdout, stderr };
}
