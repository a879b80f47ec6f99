/** The map for what comes and goes: a Map, but to V8's collector. @module */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { ChurnMap } from "../src/churn_map.ts";
import { seededRandom } from "./cuts.ts";
import { runExample } from "./programs.ts";

const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

test("whatever is done to it, it tells what a Map tells", () => {
  const random = seededRandom(1);
  const [churn, map] = [new ChurnMap<number, number>(), new Map<number, number>()];
  for (let step = 0; step < 20_000; step++) {
    const range = step < 10_000 ? 300 : 3;
    const key = Math.floor(random() * range);
    if (random() < 0.5) assertEquals(churn.delete(key), map.delete(key));
    else for (const each of [churn, map]) each.set(key, step);
    assertEquals([churn.size, churn.has(key), churn.get(key)], [
      map.size,
      map.has(key),
      map.get(key),
    ]);
  }
});

// Only Node tells how much of its heap is old, and can be asked to collect.
test(
  "what has gone dies young, also behind a full collection",
  { skip: !isNode },
  async () => {
    const grown = async (kind: string): Promise<number> => {
      const program = "tests/fixtures/churning_program.ts";
      const { stdout, stderr } = await runExample("node", program, [kind]);
      assertEquals(stderr, "");
      return Number(stdout);
    };
    const [churn, map] = [await grown("ChurnMap"), await grown("Map")];
    assert(churn < 1, `the old generation grew by ${churn} MB`);
    assert(map > 5, `a Map's by ${map} MB: is this still worth while?`);
  },
);
