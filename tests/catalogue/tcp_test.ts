/**
 * The tables of the catalogue over TCP, on the runtime that this test runs on. Every transcript has
 * to be what the table says, and to the letter what `transcripts.txt` says: that makes it the same
 * on all runtimes (oracle O7).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { describe, test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { FEW_CUTS } from "../cuts.ts";
import { type Case, runAll } from "./bench.ts";
import { CASES } from "./cases.ts";
import { readTranscripts, titleOf } from "./transcripts.ts";

const MIB = 1_048_576;

/** O1: what nobody has caught. */
const uncaught: unknown[] = [];
process.on("uncaughtException", (error) => uncaught.push(error));
process.on("unhandledRejection", (error) => uncaught.push(error));

const expected = readTranscripts();
const { outcomes, finished } = runAll(CASES);

for (const group of ["H", "R", "RFC", "F", "X", "C"]) {
  const cases = CASES.filter(({ name }) =>
    name.startsWith(`${group}-`) || name.startsWith(`${group} `)
  );
  describe(`The catalogue's ${group} over TCP`, () => {
    for (const row of cases) {
      test(titleOf(row), async () => {
        const outcome = await outcomes.get(row.name)!;
        if ("error" in outcome) throw outcome.error;
        row.check(outcome.transcript);
        assertEquals(outcome.transcript, expected.get(titleOf(row)));
      });
    }

    test(`O4 ${group} leaves no memory behind`, async () => {
      await finished;
      // What V8 sets aside for itself grows at times: a leak grows with every round.
      let grown = Infinity;
      for (let round = 0; round < 3 && grown >= 32 * MIB; round++) {
        const before = memoryUsed();
        await replay(cases);
        grown = memoryUsed() - before;
      }
      assert(grown < 32 * MIB, `${Math.round(grown / MIB)} MiB more in each round`);
    });
  });
}

test("O1 nothing is left uncaught, O2 each server serves to the end", async () => {
  await finished;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(uncaught, []);
});

test("transcripts.txt has one block for each case", () => {
  assertEquals([...expected.keys()], CASES.map(titleOf));
});

async function replay(cases: readonly Case[]): Promise<void> {
  const { outcomes, finished } = runAll(cases, FEW_CUTS.slice(0, 1));
  for (const outcome of outcomes.values()) assert("transcript" in await outcome);
  await finished;
}

/** The memory of this process without garbage, and without what V8 keeps free of its heap. */
function memoryUsed(): number {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  if (Bun !== undefined) {
    Bun.gc(true);
    return process.memoryUsage().rss;
  }
  collectGarbage();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return rss - (heapTotal - heapUsed);
}

/** What V8's flag `--expose-gc` gives, on Deno and Node. */
function collectGarbage(): void {
  v8.setFlagsFromString("--expose-gc");
  const gc: () => void = vm.runInNewContext("gc");
  gc();
}
