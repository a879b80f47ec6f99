/** Checks in a row, and how they are told. @module */

import type { Tally } from "../reports.ts";
import { run, type RunOptions } from "../process.ts";

/** Something that has to be so: it throws where it is not. */
export interface Check {
  readonly name: string;
  check(): Promise<void>;
}

/** Where a report ends, and a line of it: some are of minified programs. */
const LONGEST_REPORT = 4000;
const LONGEST_LINE = 300;

/** Runs a program; throws with its output where it fails. Returns its standard output. */
export async function demand(
  command: string,
  args: readonly string[],
  options: Partial<RunOptions>,
): Promise<string> {
  const result = await run(command, args, { timeout: 60_000, ...options });
  if (result.code === 0 && !result.timedOut) return result.stdout;
  const how = result.timedOut ? "it took too long" : `status ${result.code}`;
  throw new Error(`${how}\n${shorten(result.output)}`);
}

function shorten(output: string): string {
  const lines = output.split("\n").map((line) => line.slice(0, LONGEST_LINE));
  return lines.join("\n").slice(0, LONGEST_REPORT);
}

/** Runs rows of checks, `width` at a time, each row in order; prints a line for each check. */
export async function runChecks(
  rows: readonly (readonly Check[])[],
  width: number,
): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const waiting = rows.values();
  const work = async (): Promise<void> => {
    for (const row of waiting) {
      for (const check of row) tally[await passes(check) ? "passed" : "failed"]++;
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return tally;
}

async function passes({ name, check }: Check): Promise<boolean> {
  const started = performance.now();
  const time = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  try {
    await check();
    console.log(`ok      ${name} (${time()})`);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.log(`FAILED  ${name} (${time()}): ${message}`);
    return false;
  }
}
