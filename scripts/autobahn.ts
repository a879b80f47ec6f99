/**
 * Runs the Autobahn testsuite against `examples/echo.ts` as server and `tests/autobahn/client.ts` as
 * client, on each runtime, and writes `tests/autobahn/results.json` and `SUMMARY.md`.
 *
 * ```sh
 * deno task autobahn [--role server,client] [--runtime deno,bun,node] [--cases "12.*,13.*"]
 *   [--without "12.*,13.*"] [--check]
 * ```
 *
 * All cases take about ten minutes for each role and runtime, nearly all of it sections 12 and 13.
 * `--check` writes nothing: it compares with what is committed, and fails if anything differs.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { startExample } from "../tests/programs.ts";
import {
  executable,
  ROOT,
  runtimeCommand,
  type RuntimeName,
  RUNTIMES,
} from "../tests/toolchain.ts";
import {
  countGood,
  findMissing,
  findProblems,
  formatResults,
  formatSummary,
  isGood,
  parseIndex,
  parseResults,
  type Results,
  type Selection,
} from "./autobahn/results.ts";
import { installSuite, SUITE, testClients, testServer } from "./autobahn/suite.ts";
import { run } from "./process.ts";
import { installToolchain } from "./toolchain.ts";

type Role = "server" | "client";

const RESULTS = `${ROOT}tests/autobahn/results.json`;
const SUMMARY = `${ROOT}tests/autobahn/SUMMARY.md`;

/** What the cases of section 9 and 5 need. */
const LIMITS = { maxMessageSize: 16_777_216, maxFragments: 65_600 };

/** One role on one runtime, in milliseconds. */
const TIMEOUT = 2_400_000;

async function test(role: Role, runtime: RuntimeName, selection: Selection): Promise<string> {
  if (role === "client") {
    return await testClients(selection, async (url) => {
      const args = [url, `${LIMITS.maxMessageSize}`, `${LIMITS.maxFragments}`];
      const client = runtimeCommand(runtime, "tests/autobahn/client.ts", args, ["-N"]);
      const result = await run(client.command, client.args, { timeout: TIMEOUT });
      if (result.timedOut || result.code !== 0) throw new Error(result.output);
    });
  }
  const server = await startExample(runtime, "examples/echo.ts", [
    ...["--port", "0", "--compress", "--context-takeover"],
    ...["--max-message-size", `${LIMITS.maxMessageSize}`],
    ...["--max-fragments", `${LIMITS.maxFragments}`],
  ]);
  try {
    return await testServer(server.url, selection, TIMEOUT);
  } finally {
    await server.stop();
  }
}

async function testAll(
  roles: readonly Role[],
  runtimes: readonly RuntimeName[],
  selection: Selection,
): Promise<Results> {
  const found: Results = new Map();
  for (const runtime of runtimes) {
    for (const role of roles) {
      const started = performance.now();
      const cases = parseIndex(await test(role, runtime, selection));
      const seconds = Math.round((performance.now() - started) / 1000);
      const good = [...cases.values()].filter(isGood).length;
      const subject = `${role} ${runtime}`;
      console.log(`  ${subject}: ${good} of ${cases.size} cases are good (${seconds} s)`);
      found.set(subject, cases);
    }
  }
  return found;
}

async function readResults(): Promise<Results> {
  try {
    return parseResults(await Deno.readTextFile(RESULTS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw error;
  }
}

/** Replaces what was tested again, and keeps the rest. */
async function writeResults(found: Results): Promise<void> {
  const all = await readResults();
  for (const [subject, cases] of found) {
    all.set(subject, new Map([...all.get(subject) ?? [], ...cases]));
  }
  await Deno.writeTextFile(RESULTS, formatResults(all));
  await Deno.writeTextFile(SUMMARY, formatSummary(all, SUITE, await versions()));
  await run(Deno.execPath(), ["fmt", "--quiet", RESULTS, SUMMARY], { timeout: 60_000 });
}

async function versions(): Promise<string[]> {
  return await Promise.all(RUNTIMES.map(async (runtime) => {
    const { stdout } = await run(executable(runtime), ["--version"], { timeout: 30_000 });
    const name = runtime[0].toUpperCase() + runtime.slice(1);
    return `${name} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0]}`;
  }));
}

function parseList<T extends string>(text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  return text.split(",").map((word) => {
    const found = known.find((one) => one === word);
    if (found === undefined) throw new TypeError(`"${word}" is not one of ${known.join(", ")}`);
    return found;
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      role: { type: "string" },
      runtime: { type: "string" },
      cases: { type: "string", default: "*" },
      without: { type: "string", default: "" },
      check: { type: "boolean", default: false },
    },
  });
  const roles = parseList(values.role, ["server", "client"]);
  const runtimes = parseList(values.runtime, RUNTIMES);
  const split = (text: string): string[] => text.split(",").filter((part) => part !== "");
  await installToolchain();
  await installSuite();
  console.log(SUITE);
  const selection = { cases: split(values.cases), without: split(values.without) };
  const found = await testAll(roles, runtimes, selection);
  const { passed, failed } = countGood(found);
  const committed = await readResults();
  const problems = [
    ...findProblems(found, values.check ? committed : found),
    ...findMissing(found, committed, selection),
  ];
  for (const problem of problems) console.log(problem);
  if (!values.check) await writeResults(found);
  console.log(`\n${passed} passed, ${Math.max(failed, problems.length)} failed`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.log("\n0 passed, 1 failed");
    Deno.exit(1);
  }
}
