/**
 * `deno task ok`: everything that a change must pass, the cheap checks first. All of them run, so
 * that one run shows all that is wrong; the closing line counts a failed check as a failed test.
 * `--tested` says that `deno task test` has just passed: only what coverage is measured by runs again.
 *
 * @module
 */

import { executable, ROOT } from "../tests/toolchain.ts";
import { CORE_TESTS, coverageGaps } from "./coverage.ts";
import { run } from "./process.ts";
import { describeGap, describeTally } from "./reports.ts";
import { runTests, type TestOptions } from "./test.ts";
import { installToolchain } from "./toolchain.ts";

const CHECK_TIMEOUT = 300_000;

/** A check by a program: it passes when the program ends with status 0. */
interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What it must not write, even with status 0. */
  readonly forbidden?: RegExp;
}

async function listChecks(): Promise<Check[]> {
  const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const entries = Object.values<string>(exports);
  const deno = (name: string, ...args: string[]) => ({ name, command: Deno.execPath(), args });
  return [
    deno("format", "fmt", "--check"),
    deno("lint", "lint"),
    deno("types, by Deno", "check", "--frozen", "."),
    deno("types, as other projects see them", "check", "--no-config", "--no-lock", ...entries),
    {
      name: "types, by TypeScript",
      command: executable("node"),
      args: ["tests/node_modules/typescript/bin/tsc", "-p", "tests/tsconfig.json"],
    },
    deno("docs", "doc", "--lint", ...entries),
    deno("import directions", "test", "-A", "--no-check", "--frozen", "tests/architecture_test.ts"),
    {
      ...deno("publishing", "publish", "--dry-run", "--allow-dirty"),
      forbidden: /\bwarning\b/i,
    },
  ];
}

/** Runs a check and prints how it went: one line, or all of its output where it failed. */
async function passes({ name, command, args, forbidden }: Check): Promise<boolean> {
  const started = performance.now();
  const { code, timedOut, output } = await run(command, args, { timeout: CHECK_TIMEOUT });
  const time = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const wrote = forbidden?.exec(output);
  if (code === 0 && !timedOut && !wrote) {
    console.log(`ok      ${name} (${time})`);
    return true;
  }
  const why = timedOut ? "it took too long" : wrote ? `"${wrote[0]}"` : `status ${code}`;
  console.log(`FAILED  ${name} (${time}): ${why}`);
  console.log(output);
  return false;
}

/** Runs tests, all unless told otherwise, and checks that those of `src/core` cover it whole. */
async function test(options: TestOptions) {
  const folder = await Deno.makeTempDir();
  try {
    const tally = await runTests({ ...options, coverage: folder });
    const gaps = await coverageGaps(folder);
    console.log(`\n${gaps.length === 0 ? "ok    " : "FAILED"}  coverage of src/core`);
    for (const gap of gaps) console.log(`  ${describeGap(gap)}`);
    if (gaps.length > 0) tally.failed++;
    return tally;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function parseArgs(args: readonly string[]): TestOptions {
  const unknown = args.find((arg) => arg !== "--tested");
  if (unknown !== undefined) throw new TypeError(`Unknown option: ${unknown}`);
  return args.length > 0 ? CORE_TESTS : {};
}

if (import.meta.main) {
  const options = parseArgs(Deno.args);
  await installToolchain();
  let failedChecks = 0;
  for (const check of await listChecks()) {
    if (!await passes(check)) failedChecks++;
  }
  const tally = await test(options);
  tally.failed += failedChecks;
  console.log(`\n${describeTally(tally)}`);
  if (tally.failed > 0) Deno.exit(1);
}
