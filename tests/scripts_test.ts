import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  caseIds,
  countGood,
  findMissing,
  findProblems,
  formatResults,
  formatSummary,
  parseIndex,
  parseResults,
} from "../scripts/autobahn/results.ts";
import { countTests, describeGap, describeTally, parseLcov } from "../scripts/reports.ts";

const DENO_REPORT = `<testsuites name="deno test" tests="5" failures="2" errors="0">
  <testsuite name="./a_test.ts">
    <testcase name="outer" classname="a" time="0.003" line="3" col="1">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
    <testcase name="top" classname="a" time="0.012" line="11" col="1">
    </testcase>
  </testsuite>
  <testsuite name="steps">
    <testcase name="outer &gt; one" classname="b" time="0.000"></testcase>
    <testcase name="outer &gt; two" classname="b" time="0.000"><skipped/></testcase>
    <testcase name="outer &gt; three" classname="b" time="0.000">
      <failure message="no">AssertionError: &lt;testcase name="x"/&gt;</failure>
    </testcase>
  </testsuite>
</testsuites>`;

const BUN_REPORT = `<testsuites name="bun test" tests="3" failures="1" skipped="1">
  <testsuite name="a_test.ts" tests="3">
    <testsuite name="outer"><testcase name="one" classname="outer" assertions="0" /></testsuite>
    <testcase name="two" classname=""><skipped /></testcase>
    <testcase name="three" classname=""><failure type="AssertionError">no</failure></testcase>
  </testsuite>
</testsuites>`;

const NODE_REPORT = `<testsuites>
	<testcase name="a -> b" time="0.0005" classname="test" file="/a_test.ts"/>
	<testcase name="c" classname="test"><skipped type="skipped" message="a > b"/></testcase>
	<testcase name="d" classname="test" failure="no"><failure type="x">no</failure></testcase>
	<!-- tests 3 -->
</testsuites>`;

describe("countTests()", () => {
  test("counts what Deno reports, describe() itself not included", () => {
    assertEquals(countTests(DENO_REPORT), { passed: 2, failed: 1, skipped: 1 });
  });

  test("counts what Bun reports", () => {
    assertEquals(countTests(BUN_REPORT), { passed: 1, failed: 1, skipped: 1 });
  });

  test("counts what Node reports, with > in attributes", () => {
    assertEquals(countTests(NODE_REPORT), { passed: 1, failed: 1, skipped: 1 });
  });

  test("does not count the file that Node reports in place of its tests, unless it failed", () => {
    const passed = '<testcase name="tests/a_test.ts" classname="test"/>';
    const failed = '<testcase name="/b_test.ts" classname="test"><failure>no</failure></testcase>';
    assertEquals(countTests(passed + failed), { passed: 0, failed: 1, skipped: 0 });
  });

  test("counts nothing in an empty report", () => {
    assertEquals(countTests(""), { passed: 0, failed: 0, skipped: 0 });
  });
});

test("describeTally() names skipped tests only where there are some", () => {
  assertEquals(describeTally({ passed: 12, failed: 0, skipped: 0 }), "12 passed, 0 failed");
  assertEquals(
    describeTally({ passed: 1, failed: 2, skipped: 3 }),
    "1 passed, 2 failed, 3 skipped",
  );
});

test("parseLcov() finds the files, and in them the lines and branches never reached", () => {
  const { gaps, files } = parseLcov([
    ...["SF:a.ts", "FN:1,f", "FNDA:0,f", "BRDA:3,1,0,0", "BRDA:3,1,1,7", "BRDA:4,2,0,-"],
    ...["DA:3,7", "DA:5,0", "DA:10,10", "LH:1", "LF:3", "end_of_record"],
    ...["SF:b.ts", "DA:1,1", "end_of_record", ""],
  ].join("\n"));
  assertEquals([...files], ["a.ts", "b.ts"]);
  assertEquals(gaps.map(describeGap), [
    "a.ts:3: branch not covered",
    "a.ts:4: branch not covered",
    "a.ts:5: line not covered",
  ]);
});

describe("Autobahn's results", () => {
  const results = new Map([
    ["server bun", new Map([["10.1.1", "OK"], ["2.10", "INFORMATIONAL"], ["2.9", "OK"]])],
    ["client node", new Map([["1.1.1", "OK"], ["2.9", "FAILED"]])],
  ]);

  test("come from the suite's index; a bad close shows, too", () => {
    const index = {
      twoway: {
        "1.1.1": { behavior: "OK", behaviorClose: "OK" },
        "1.1.2": { behavior: "OK", behaviorClose: "UNCLEAN" },
        "1.1.3": { behavior: "NON-STRICT", behaviorClose: "FAILED" },
      },
    };
    assertEquals([...parseIndex(JSON.stringify(index))], [
      ["1.1.1", "OK"],
      ["1.1.2", "OK, close UNCLEAN"],
      ["1.1.3", "NON-STRICT"],
    ]);
    assertEquals(parseIndex("{}").size, 0);
  });

  test("are written in the order of the cases, and read again", () => {
    assertEquals(caseIds(results), ["1.1.1", "2.9", "2.10", "10.1.1"]);
    const again = parseResults(formatResults(results));
    assertEquals([...again.keys()], ["client node", "server bun"]);
    assertEquals(Object.fromEntries(again.get("server bun")!), {
      "2.9": "OK",
      "2.10": "INFORMATIONAL",
      "10.1.1": "OK",
    });
    assertEquals(countGood(results), { passed: 4, failed: 1 });
  });

  test("have problems where they are bad, differ, are new, or are none", () => {
    assertEquals(findProblems(results, results), ["client node, case 2.9: FAILED"]);
    const found = new Map([
      ["server bun", new Map([["2.9", "INFORMATIONAL"], ["3.1", "OK"]])],
      ["server deno", new Map<string, string>()],
    ]);
    assertEquals(findProblems(found, results), [
      "server bun, case 2.9: INFORMATIONAL, but committed is OK",
      "server bun, case 3.1: OK, but committed is nothing",
      "server deno: no case ran",
    ]);
  });

  test("lack the cases that the suite, ending early, did not get to", () => {
    const known = new Map([
      [
        "client bun",
        new Map(["1.1.1", "1.1.2", "2.1", "12.1.1", "13.1.1"].map((id) => [id, "OK"])),
      ],
    ]);
    const found = new Map([["client bun", new Map([["1.1.1", "OK"]])]]);
    const missing = (cases: string[], without: string[]) =>
      findMissing(found, known, { cases, without });
    assertEquals(missing(["*"], []), [
      "client bun: 4 known cases did not run, from 1.1.2 on",
    ]);
    assertEquals(missing(["*"], ["12.*", "13.*"]), [
      "client bun: 2 known cases did not run, from 1.1.2 on",
    ]);
    assertEquals(missing(["2.*"], []), ["client bun: 1 known cases did not run, from 2.1 on"]);
    assertEquals(missing(["1.*"], ["1.1.2"]), []);
    assertEquals(missing(["1.1.1"], []), []);
  });

  test("are summed up by section", () => {
    const summary = formatSummary(results, "suite 1", ["Node 1"]);
    for (
      const line of [
        "| 1 Framing | 1 | 0 |",
        "| 2 Pings and pongs | 0, 1 FAILED | 1 + 1 |",
        "| all | 1, 1 FAILED | 2 + 1 |",
      ]
    ) assertEquals(summary.includes(line), true, summary);
  });
});
