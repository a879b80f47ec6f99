/**
 * What the Autobahn testsuite found, as a table that is committed: case → result for each role and
 * runtime. In go texts, out come texts.
 *
 * @module
 */

/** Who was tested: a role on a runtime, such as `"server deno"`. */
export type Subject = string;

/** Case → result of one subject. */
export type SubjectResults = ReadonlyMap<string, string>;

/** Subject → case → result. */
export type Results = Map<Subject, SubjectResults>;

/** What to run, in the suite's own patterns such as `12.*`. */
export interface Selection {
  readonly cases: readonly string[];
  readonly without: readonly string[];
}

/** Results that are as good as can be. */
const GOOD = new Set(["OK", "INFORMATIONAL"]);

/** What the sections of the suite are about. */
const SECTIONS: Readonly<Record<string, string>> = {
  1: "Framing",
  2: "Pings and pongs",
  3: "Reserved bits",
  4: "Opcodes",
  5: "Fragmentation",
  6: "UTF-8",
  7: "Closing",
  9: "Limits and performance",
  10: "Automatic fragmentation",
  12: "Compression: different payloads",
  13: "Compression: different parameters",
};

/** Whether a result is as it should be. */
export function isGood(result: string | undefined): boolean {
  return result !== undefined && GOOD.has(result);
}

/** The results in the suite's own `index.json`, which has those of one agent. */
export function parseIndex(text: string): SubjectResults {
  const agents: Record<string, Record<string, { behavior: string; behaviorClose: string }>> = JSON
    .parse(text);
  const [cases = {}] = Object.values(agents);
  return new Map(
    Object.entries(cases).map(([id, { behavior, behaviorClose }]) => [
      id,
      isGood(behaviorClose) || !isGood(behavior) ? behavior : `${behavior}, close ${behaviorClose}`,
    ]),
  );
}

/** Reads what {@linkcode formatResults} writes. */
export function parseResults(text: string): Results {
  const { subjects, cases }: { subjects: Subject[]; cases: Record<string, (string | null)[]> } =
    JSON.parse(text);
  return new Map(subjects.map((subject, i) => {
    const rows = Object.entries(cases).filter(([, results]) => results[i] !== null);
    return [subject, new Map(rows.map(([id, results]) => [id, results[i]!]))];
  }));
}

/** One line for each case, so that a change shows as one. */
export function formatResults(results: Results): string {
  const subjects = [...results.keys()].sort();
  const lines = caseIds(results).map((id) => {
    const row = subjects.map((subject) => results.get(subject)!.get(id) ?? null);
    return `    ${JSON.stringify(id)}: [${row.map((result) => JSON.stringify(result)).join(", ")}]`;
  });
  const head = subjects.map((subject) => `    ${JSON.stringify(subject)}`).join(",\n");
  return `{\n  "subjects": [\n${head}\n  ],\n  "cases": {\n${lines.join(",\n")}\n  }\n}\n`;
}

/** The cases of all subjects, in the order of their numbers. */
export function caseIds(results: Results): string[] {
  const ids = new Set([...results.values()].flatMap((cases) => [...cases.keys()]));
  const rank = (id: string): number => {
    const [section, part = 0, number = 0] = id.split(".").map(Number);
    return (section * 1000 + part) * 1000 + number;
  };
  return [...ids].sort((left, right) => rank(left) - rank(right));
}

/** What is wrong with new results, one line each: bad ones, and others than those committed. */
export function findProblems(found: Results, committed: Results): string[] {
  const problems: string[] = [];
  for (const [subject, cases] of found) {
    const known = committed.get(subject);
    for (const [id, result] of cases) {
      const before = known?.get(id);
      if (!isGood(result)) problems.push(`${subject}, case ${id}: ${result}`);
      else if (before !== result) {
        problems.push(`${subject}, case ${id}: ${result}, but committed is ${before ?? "nothing"}`);
      }
    }
    if (cases.size === 0) problems.push(`${subject}: no case ran`);
  }
  return problems;
}

/**
 * The known cases of a selection that a subject did not get to, one line for each subject. When a
 * server no longer accepts connections, the suite ends early and calls that success.
 */
export function findMissing(found: Results, known: Results, selection: Selection): string[] {
  const expected = caseIds(known).filter((id) =>
    matches(id, selection.cases) && !matches(id, selection.without)
  );
  return [...found].flatMap(([subject, cases]) => {
    const missing = expected.filter((id) => !cases.has(id));
    if (missing.length === 0) return [];
    return [`${subject}: ${missing.length} known cases did not run, from ${missing[0]} on`];
  });
}

/** As the suite does it: a pattern with an asterisk matches the beginning, others the whole. */
function matches(id: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.includes("*")
      ? new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}`).test(id)
      : pattern === id
  );
}

/** How many results there are, and how many of them are good. */
export function countGood(results: Results): { passed: number; failed: number } {
  const all = [...results.values()].flatMap((cases) => [...cases.values()]);
  const passed = all.filter(isGood).length;
  return { passed, failed: all.length - passed };
}

/** The committed results on one page of Markdown. */
export function formatSummary(
  results: Results,
  suite: string,
  versions: readonly string[],
): string {
  const subjects = [...results.keys()].sort();
  const sections = [...new Set(caseIds(results).map((id) => id.split(".")[0]))];
  const rows = sections.map((section) => {
    const cells = subjects.map((subject) => {
      const cases = [...results.get(subject)!].filter(([id]) => id.startsWith(`${section}.`));
      return describe(cases.map(([, result]) => result));
    });
    return [`${section} ${SECTIONS[section] ?? ""}`.trim(), ...cells];
  });
  const totals = subjects.map((subject) => describe([...results.get(subject)!.values()]));
  const table = [["section", ...subjects], ...rows, ["all", ...totals]];
  return [
    "# The Autobahn testsuite",
    "",
    `Results of ${suite}, written by \`deno task autobahn\`: \`examples/echo.ts\` as server, and as`,
    `client \`tests/autobahn/client.ts\`, which is built on \`connect()\`. ${versions.join(", ")}.`,
    "",
    "A cell counts the cases that are OK; those that the suite calls INFORMATIONAL (it only looks how",
    "an implementation behaves) stand behind a plus, all others in words. Each case by itself is in",
    "`results.json`.",
    "",
    ...formatTable(table),
    "",
  ].join("\n");
}

function describe(results: readonly string[]): string {
  const count = (wanted: string): number => results.filter((result) => result === wanted).length;
  const informational = count("INFORMATIONAL");
  const bad = results.filter((result) => !isGood(result));
  return [
    `${count("OK")}${informational > 0 ? ` + ${informational}` : ""}`,
    ...[...new Set(bad)].map((result) => `${count(result)} ${result}`),
  ].join(", ");
}

function formatTable([head, ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
