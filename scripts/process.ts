/** Child processes with a time limit, whose own children end with them. @module */

import { ROOT } from "../tests/toolchain.ts";

/** How to run a command. */
export interface RunOptions {
  /** The working directory. @default {the root of the repository} */
  cwd?: string;
  /** Added to the environment. */
  env?: Record<string, string>;
  /** The longest time it may take, in milliseconds. */
  timeout: number;
}

/** How a command ended. */
export interface RunResult {
  /** The exit status; 128 and more after a signal. */
  code: number;
  timedOut: boolean;
  stdout: string;
  /** Both streams, standard output first. */
  output: string;
}

/** Children write no colours and ask for no updates, wherever they run. */
const ENV = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", DENO_NO_PROMPT: "1" };

/** What ends this process, and then its children, too. Windows has no SIGTERM. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];

/** Runs a command to its end; at the time limit it is killed with everything that it started. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  // A process group of its own, so that what a killed test has started does not stay behind. It
  // also no longer gets the terminal's ^C, so this process has to end it.
  const child = new Deno.Command(command, {
    args: [...args],
    cwd: options.cwd ?? ROOT,
    env: { ...ENV, ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const interrupt = () => {
    killGroup(child);
    Deno.exit(130);
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, options.timeout);
  try {
    // Ends with the streams, which a forgotten child of the child may hold open: the limit counts.
    const { code, stdout, stderr } = await child.output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { code, timedOut, stdout: out, output: out + err };
  } finally {
    clearTimeout(timer);
    killGroup(child);
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
  }
}

function killGroup(child: Deno.ChildProcess): void {
  try {
    // A negative number means the process group; Windows has none.
    Deno.kill(Deno.build.os === "windows" ? child.pid : -child.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
