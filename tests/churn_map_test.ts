/** The map for what comes and goes: a Map to everybody, but to V8's collector. @module */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { inspect } from "node:util";
import { ChurnMap } from "../src/churn_map.ts";
import { runExample } from "./programs.ts";

/** Numbers from 0 to below `end`, the same ones each time. */
function numbers(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * end);
  };
}

/** What changes a map. */
interface Changeable {
  set(key: number, value: string): unknown;
  delete(key: number): boolean;
}

/** Does the same to all of them: gives the key a value, or takes it out. */
function change(maps: readonly Changeable[], key: number, isIn: boolean): boolean[] {
  return maps.map((map) => isIn ? map.set(key, `value ${key}`) === map : map.delete(key));
}

test("whatever is done to it, it tells what a Map tells", () => {
  const next = numbers(1);
  const [churn, map] = [new ChurnMap<number, string>(), new Map<number, string>()];
  for (let step = 0; step < 20_000; step++) {
    const range = step < 10_000 ? 300 : 3;
    const [own, real] = change([churn, map], next(range), next(2) === 0);
    assertEquals(own, real);
    const key = next(range);
    assertEquals([churn.size, churn.has(key), churn.get(key)], [
      map.size,
      map.has(key),
      map.get(key),
    ]);
    if (step % 500 !== 0) continue;
    assertEquals([...churn], [...map]);
    assertEquals([...churn.keys()], [...map.keys()]);
    assertEquals([...churn.values()], [...map.values()]);
    assertEquals([...churn.entries()], [...map.entries()]);
    const told: unknown[] = [];
    churn.forEach(function (this: unknown, ...args) {
      told.push([this, ...args]);
    }, next);
    assertEquals(told, [...map].map(([key, value]) => [next, value, key, churn]));
  }
});

test("an iterator under way finds what a Map's finds, whatever has gone or come", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const next = numbers(seed);
    const [churn, map] = [new ChurnMap<number, string>(), new Map<number, string>()];
    for (let key = 0; key < 20; key++) change([churn, map], key, true);
    const [own, real] = [churn.keys(), map.keys()];
    for (let step = 0; step < 60; step++) {
      for (let i = next(12); i > 0; i--) change([churn, map], next(30), next(3) === 0);
      assertEquals(own.next(), real.next(), `seed ${seed}, step ${step}`);
    }
  }
});

// So many that it would take a minute if whoever has gone had to be looked for from the first on.
for (const each of [1, 2]) {
  test(`one in ${each} of 400 000 may go while they are visited`, () => {
    const churn = new ChurnMap<number, number>();
    for (let key = 0; key < 400_000; key++) churn.set(key, key);
    let visited = 0;
    for (const key of churn.keys()) {
      assert(key === visited++);
      if (key % each === 0) churn.delete(key);
    }
    assertEquals([visited, churn.size], [400_000, 400_000 - 400_000 / each]);
  });
}

test("a console shows it as a Map", () => {
  const churn = new ChurnMap<string, number>().set("a", 1);
  assertEquals(inspect(churn), inspect(new Map([["a", 1]])));
});

// Only Node tells how much of its heap is old, and can be asked to collect.
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

test("what has gone dies young, also behind a full collection", { skip: !isNode }, async () => {
  const grown = async (kind: string): Promise<number> => {
    const program = "tests/fixtures/churning_program.ts";
    const { stdout, stderr } = await runExample("node", program, [kind]);
    assertEquals(stderr, "");
    return Number(stdout);
  };
  const [churn, map] = [await grown("ChurnMap"), await grown("Map")];
  assert(churn < 1, `the old generation grew by ${churn} MB`);
  assert(map > 5, `a Map's by ${map} MB: is this still worth while?`);
});
