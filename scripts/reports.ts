/** What test runners and coverage tools write, read: texts in, counts and places out. @module */

/** What a test file, or all of them, came to. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** A place that no test reaches. */
export interface Gap {
  file: string;
  /** Counted from 1; 0 where the whole file was never loaded. */
  line: number;
  what: "line" | "branch" | "file";
}

/** Begins what is written about an error that nobody catches. */
export const UNCAUGHT = "Uncaught outside of the tests:";

/** The closing line: `12 passed, 0 failed`, and how many were skipped, if any were. */
export function describeTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** One line for each gap: `src/core/frame.ts:12: branch not covered`. */
export function describeGap({ file, line, what }: Gap): string {
  return what === "file" ? `${file}: no test loads it` : `${file}:${line}: ${what} not covered`;
}

// An attribute may hold ">", so that `[^>]*` would end too early.
const TEST_CASE = /<testcase((?:\s+[\w:]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/** Counts the tests in a JUnit report, the one form that all three runners write. */
export function countTests(xml: string): Tally {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  const cases = [...xml.matchAll(TEST_CASE)].map(([, attributes, content = ""]) => {
    return { name: attributes.match(/\sname="([^"]*)"/)?.[1] ?? "", content };
  });
  for (const { name, content } of cases) {
    // Deno reports a `describe()` as a test beside the tests in it: "outer", "outer &gt; inner".
    if (cases.some((other) => other.name.startsWith(`${name} &gt; `))) continue;
    if (/<(?:failure|error)\b/.test(content)) tally.failed++;
    else if (/<skipped\b/.test(content)) tally.skipped++;
    // Node reports a file without tests as a test that passes.
    else if (!name.endsWith("_test.ts")) tally.passed++;
  }
  return tally;
}

/** Reads the records of an LCOV report: `SF` a file, `DA` a line, `BRDA` a branch. */
export function parseLcov(report: string): { gaps: Gap[]; files: Set<string> } {
  const gaps: Gap[] = [];
  const files = new Set<string>();
  let file = "";
  for (const record of report.split("\n")) {
    const [, type, value] = record.match(/^(SF|DA|BRDA):(.*)$/) ?? [];
    if (type === undefined) continue;
    if (type === "SF") {
      files.add(file = value);
      continue;
    }
    const fields = value.split(",");
    const count = fields[type === "DA" ? 1 : 3];
    // A branch whose condition was never reached has "-" in place of a count.
    if (count !== "0" && count !== "-") continue;
    gaps.push({ file, line: Number(fields[0]), what: type === "DA" ? "line" : "branch" });
  }
  return { gaps, files };
}
