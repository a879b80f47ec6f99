/** The command line in a process of its own, on the runtime that runs the tests. @module */

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import type { Outcome } from "../programs.ts";
import { runtimeCommand, type RuntimeName } from "../toolchain.ts";

/** The runtime that runs the tests. */
const RUNTIME: RuntimeName = process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node";

/** Milliseconds for something to be printed, and for the end. */
const PATIENCE = 15_000;

/** A running command line. */
export class CliProcess {
  /** The end, with everything that has been printed. */
  readonly ended: Promise<Outcome>;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly #pid: number;
  readonly #printed = { stdout: "", stderr: "" };
  #onPrinted: (() => void) | null = null;

  constructor(args: readonly string[]) {
    const { command, args: all } = runtimeCommand(RUNTIME, "cli.ts", args);
    const child = spawn(command, all, { stdio: ["pipe", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    this.#pid = child.pid!;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    child.stdin.on("error", () => {}); // it may end before it has read everything
    for (const name of ["stdout", "stderr"] as const) {
      const decoder = new TextDecoder();
      child[name].on("data", (data) => {
        this.#printed[name] += decoder.decode(data, { stream: true });
        this.#onPrinted?.();
      });
    }
    this.ended = once(child, "close").then(([status]) => {
      clearTimeout(timer);
      this.#onPrinted?.();
      return { status, ...this.#printed };
    });
  }

  /** Types lines. */
  type(...lines: string[]): void {
    for (const line of lines) this.stdin.write(`${line}\n`);
  }

  /** Waits for a text that matches to be printed. */
  async shows(stream: "stdout" | "stderr", pattern: RegExp): Promise<RegExpExecArray> {
    let isOver = false;
    void this.ended.then(() => isOver = true);
    while (true) {
      const match = pattern.exec(this.#printed[stream]);
      if (match !== null) return match;
      if (isOver) throw new Error(`${pattern} was not shown: ${JSON.stringify(this.#printed)}`);
      await Promise.race([
        this.ended,
        new Promise<void>((resolve) => this.#onPrinted = resolve),
      ]);
    }
  }

  /** What Ctrl-C does. */
  interrupt(): void {
    // Not child.kill(): under Deno that reports the signal in place of the exit status.
    process.kill(this.#pid, "SIGINT");
  }
}

/** Runs the command line to its end, with these lines as its input. */
export async function runCli(
  args: readonly string[],
  lines: readonly string[] = [],
): Promise<Outcome> {
  const cli = new CliProcess(args);
  cli.type(...lines);
  cli.stdin.end();
  return await cli.ended;
}
