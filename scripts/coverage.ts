/**
 * The coverage of `src/core` by its own tests (`tests/core`), which must be whole: every line and
 * every branch.
 *
 * @module
 */

import { ROOT } from "../tests/toolchain.ts";
import { run } from "./process.ts";
import { describeGap, describeTally, type Gap, parseLcov } from "./reports.ts";
import { runTests, type TestOptions } from "./test.ts";

const CORE = "src/core/";

/** The tests under which coverage is measured. */
export const CORE_TESTS: TestOptions = { filters: ["tests/core/"], runtimes: ["deno"] };

/** What of `src/core` the coverage data in `folder` leaves out, by file and line. */
export async function coverageGaps(folder: string): Promise<Gap[]> {
  const args = ["coverage", "--lcov", `--include=${ROOT}${CORE}`, folder];
  const { code, stdout, output } = await run(Deno.execPath(), args, { timeout: 60_000 });
  if (code !== 0) throw new Error(`Cannot read the coverage\n${output}`);
  const { gaps, files } = parseLcov(stdout.replaceAll(`SF:${ROOT}`, "SF:"));
  for await (const { name } of Deno.readDir(ROOT + CORE)) {
    const file = CORE + name;
    if (!files.has(file) && await hasCode(file)) gaps.push({ file, line: 0, what: "file" });
  }
  return gaps.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

/** Whether anything is left of a file once its types and re-exports are gone. */
async function hasCode(file: string): Promise<boolean> {
  const source = await Deno.readTextFile(ROOT + file);
  return /^(export )?(default )?(async )?(const|let|function\*?|class|abstract class)\b/m.test(
    source,
  );
}

if (import.meta.main) {
  const folder = await Deno.makeTempDir();
  const tally = await runTests({ ...CORE_TESTS, coverage: folder });
  const gaps = await coverageGaps(folder);
  await Deno.remove(folder, { recursive: true });
  for (const gap of gaps) console.log(describeGap(gap));
  console.log(`\n${describeTally(tally)}`);
  if (tally.failed > 0 || gaps.length > 0) Deno.exit(1);
}
