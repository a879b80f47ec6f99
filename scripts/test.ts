/**
 * Runs the test files on Deno, Bun and Node, one after the other, each file in a process of its
 * own. Needs only Deno: the other two come from npm.
 *
 * ```sh
 * deno task test [--runtime deno,bun,node] [part of a test file's path]...
 * ```
 *
 * @module
 */

import { executable, ROOT, type RuntimeName, RUNTIMES } from "../tests/toolchain.ts";
import { run, type RunResult } from "./process.ts";
import { countTests, describeTally, type Tally, UNCAUGHT } from "./reports.ts";
import { installToolchain } from "./toolchain.ts";

/** Which tests to run, and where. */
export interface TestOptions {
  /** Parts of paths: a file runs when its path contains one of them. @default {all files} */
  filters?: readonly string[];
  /** @default {all three} */
  runtimes?: readonly RuntimeName[];
  /** A folder for the coverage that Deno measures under the tests of `src/core`. */
  coverage?: string;
}

/** One file on one runtime, in milliseconds: a test that hangs is killed, and its file named. */
const FILE_TIMEOUT = 120_000;
/** Files that run at a time: most wait for processes and sockets most of the time. */
const WORKERS = 2;
/** Files that measure time or memory, or drive a browser: nothing else runs beside them. */
const ALONE = /^tests\/(?:(?:attack|bench|processes)_test\.ts$|browser\/|simulation\/)/;
/**
 * glibc then fills what is freed: a runtime that goes on using it fails at once, not once in a hundred
 * runs. node:http2 is the native code that frees while JavaScript runs.
 */
const OVERWRITE_FREED = { MALLOC_PERTURB_: "165" };
/** All files on one runtime, in milliseconds. */
const RUNTIME_TIMEOUT = 900_000;

/** Runs test files on each runtime and prints what came of them. */
export async function runTests(options: TestOptions = {}): Promise<Tally> {
  const files = await testFiles(options.filters ?? []);
  if (files.length === 0) throw new Error(`No test file matches: ${options.filters?.join(" ")}`);
  await installToolchain();
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const runtime of options.runtimes ?? RUNTIMES) {
    add(total, await runOn(runtime, files, options.coverage));
  }
  return total;
}

async function testFiles(filters: readonly string[]): Promise<string[]> {
  const paths = filters.map((filter) => filter.replace(ROOT, "").replace(/^\.\//, ""));
  const files: string[] = [];
  for await (const file of walk("tests")) {
    if (!file.endsWith("_test.ts")) continue;
    if (paths.length === 0 || paths.some((path) => file.includes(path))) files.push(file);
  }
  return files.sort();
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(ROOT + folder)) {
    if (name === "node_modules") continue;
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

async function runOn(
  runtime: RuntimeName,
  files: readonly string[],
  coverage?: string,
): Promise<Tally> {
  const name = await describeRuntime(runtime);
  console.log(`\n${name}`);
  const started = performance.now();
  const total = { passed: 0, failed: 0, skipped: 0 };
  const work = async (queue: string[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const timeLeft = RUNTIME_TIMEOUT - (performance.now() - started);
      add(total, await runFile(runtime, file, timeLeft, coverage));
    }
  };
  const together = files.filter((file) => !ALONE.test(file));
  await Promise.all(Array.from({ length: WORKERS }, () => work(together)));
  await work(files.filter((file) => ALONE.test(file)));
  if (total.passed + total.failed === 0) {
    console.log("No test ran");
    total.failed = 1;
  }
  console.log(`${name}: ${describeTally(total)} in ${files.length} files (${since(started)})`);
  return total;
}

async function describeRuntime(runtime: RuntimeName): Promise<string> {
  const { stdout } = await run(executable(runtime), ["--version"], { timeout: 30_000 });
  const title = runtime[0].toUpperCase() + runtime.slice(1);
  return `${title} ${stdout.match(/\d+\.\d+\.\d+\S*/)?.[0] ?? "(unknown version)"}`;
}

async function runFile(
  runtime: RuntimeName,
  file: string,
  timeLeft: number,
  coverage?: string,
): Promise<Tally> {
  if (timeLeft <= 0) {
    console.log(`  FAILED ${file}: not run, the time for ${runtime} is used up`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const started = performance.now();
    const result = await run(executable(runtime), testCommand(runtime, file, report, coverage), {
      env: {
        ...Object.fromEntries(
          RUNTIMES.map((name) => [`TWOWAY_${name.toUpperCase()}`, executable(name)]),
        ),
        ...(file.includes("http2") ? OVERWRITE_FREED : null),
      },
      timeout: Math.min(FILE_TIMEOUT, timeLeft),
    });
    const tally = judge(result, countTests(await Deno.readTextFile(report)));
    printFile(file, tally, result, since(started));
    return tally;
  } finally {
    await Deno.remove(report);
  }
}

/** What the runner's exit status says counts, whatever its report says. */
function judge(result: RunResult, tally: Tally): Tally {
  const ran = tally.passed + tally.failed + tally.skipped > 0;
  const ok = result.code === 0 && !result.timedOut && ran && !result.output.includes(UNCAUGHT);
  return ok || tally.failed > 0 ? tally : { ...tally, failed: 1 };
}

function printFile(file: string, tally: Tally, result: RunResult, time: string): void {
  if (tally.failed === 0) return console.log(`  ${file}: ${describeTally(tally)} (${time})`);
  const why = result.timedOut ? "killed, it took too long" : describeTally(tally);
  console.log(`  FAILED ${file}: ${why} (${time}, exit status ${result.code})`);
  console.log(result.output);
}

function testCommand(
  runtime: RuntimeName,
  file: string,
  report: string,
  coverage?: string,
): string[] {
  switch (runtime) {
    case "deno": {
      const measured = coverage !== undefined && file.startsWith("tests/core/");
      return [
        ...["test", "-A", "--no-check", "--frozen", `--junit-path=${report}`],
        "--preload=scripts/deno_guard.ts",
        ...(measured ? [`--coverage=${coverage}`, "--coverage-raw-data-only"] : []),
        file,
      ];
    }
    case "bun":
      return [
        ...["test", "--no-install", `--timeout=${FILE_TIMEOUT}`],
        ...["--reporter=junit", `--reporter-outfile=${report}`, `./${file}`],
      ];
    case "node":
      return [
        ...["--test", "--test-reporter=spec", "--test-reporter-destination=stdout"],
        ...["--test-reporter=junit", `--test-reporter-destination=${report}`, file],
      ];
  }
}

function add(total: Tally, tally: Tally): void {
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
}

function since(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

/** Reads `--runtime` (or `--runtime=`) and file filters. */
function parseArgs(args: readonly string[]): TestOptions {
  const filters: string[] = [];
  let runtimes = RUNTIMES;
  for (let i = 0; i < args.length; i++) {
    const match = args[i].match(/^--runtime(?:=(.*))?$/);
    if (match) runtimes = parseRuntimes(match[1] ?? args[++i] ?? "");
    else if (args[i].startsWith("-")) throw new TypeError(`Unknown option: ${args[i]}`);
    else filters.push(args[i]);
  }
  return { filters, runtimes };
}

function parseRuntimes(list: string): RuntimeName[] {
  return list.split(",").map((name) => {
    const runtime = RUNTIMES.find((known) => known === name);
    if (!runtime) {
      throw new TypeError(`Unknown runtime: "${name}" is not one of ${RUNTIMES.join(", ")}`);
    }
    return runtime;
  });
}

if (import.meta.main) {
  const tally = await runTests(parseArgs(Deno.args));
  console.log(`\n${describeTally(tally)}`);
  if (tally.failed > 0) Deno.exit(1);
}
