/** Processes to measure, each on a core of its own where the system lets us choose. @module */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { runtimeCommand, type RuntimeName } from "../../tests/toolchain.ts";

/** How to start a script. */
export interface ChildOptions {
  readonly runtime: RuntimeName;
  /** Its path below the root. */
  readonly script: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** The core to run on. @default {any} */
  readonly core?: number;
  /** Whether it may run the garbage collector. @default {false} */
  readonly exposeGc?: boolean;
}

/** Whether processes can be bound to cores, of which there are at least two. */
export const canPin: boolean = availableParallelism() > 1 &&
  spawnSync("taskset", ["--version"]).status === 0;

/** Whether a process's memory can be seen. */
export const canSeeMemory: boolean = existsSync("/proc/self/status");

/** A heap that is collected in time: see scripts/load.ts. */
const SMALL_HEAP = ["--expose-gc", "--max-old-space-size=512", "--max-semi-space-size=2"];

/** A process that speaks in lines. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | null) => void)[] = [];
  readonly #ended: Promise<unknown>;
  #hasEnded = false;

  constructor(options: ChildOptions) {
    const { command, args } = commandOf(options);
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.process.stdin!.on("error", () => {}); // it may have ended: the next line() says so
    this.#ended = once(this.process, "exit");
    const lines = createInterface({ input: this.process.stdout! });
    lines.on("line", (line) => {
      const resolve = this.#waiting.shift();
      if (resolve === undefined) this.#lines.push(line);
      else resolve(line);
    });
    lines.on("close", () => {
      this.#hasEnded = true;
      for (const resolve of this.#waiting.splice(0)) resolve(null);
    });
  }

  /** The next value that the process prints, as a line of JSON. Rejects if it ends instead. */
  async value<T>(): Promise<T> {
    return JSON.parse(await this.#line());
  }

  /** The port on which the process says that it listens, as a number or as an address. */
  async port(): Promise<number> {
    const line = await this.#line();
    const [, port] = /(\d+)\/?$/.exec(line) ?? [];
    if (port === undefined) throw new Error(`${line} does not tell a port`);
    return Number(port);
  }

  async #line(): Promise<string> {
    const line = this.#lines.shift() ?? (this.#hasEnded ? null : await this.#nextLine());
    if (line === null) throw new Error(`${this.process.spawnargs.join(" ")} has ended`);
    return line;
  }

  #nextLine(): Promise<string | null> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives it a line, and resolves with its answer. */
  ask<T>(line: string): Promise<T> {
    this.process.stdin!.write(`${line}\n`);
    return this.value();
  }

  /** Resident memory, in KiB, where {@linkcode canSeeMemory}. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]);
  }

  /** Ends it; resolves when it is gone. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.process;
    if (exitCode === null && signalCode === null) this.process.kill("SIGKILL");
    await this.#ended;
  }
}

function commandOf({ runtime, script, args: own, core, exposeGc = false }: ChildOptions) {
  const flags = exposeGc && runtime === "deno" ? [`--v8-flags=${SMALL_HEAP.join(",")}`] : [];
  const { command, args } = runtimeCommand(runtime, script, own, ["-A", ...flags]);
  if (exposeGc && runtime === "node") args.unshift(...SMALL_HEAP);
  if (core === undefined || !canPin) return { command, args };
  // Becomes the command itself: the same process.
  return { command: "taskset", args: ["-c", `${core}`, command, ...args] };
}
