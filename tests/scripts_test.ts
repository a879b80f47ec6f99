import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
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
