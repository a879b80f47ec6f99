/** The map for what comes and goes: a Map to everybody, but to V8's collector. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { ChurnMap } from "../src/churn_map.ts";
import { seededRandom } from "./cuts.ts";
import { runExample } from "./programs.ts";
import type { RuntimeName } from "./toolchain.ts";

const RUNTIME: RuntimeName = process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node";

/** Numbers from 0 to below `end`, the same ones each time. */
function numbers(seed: number): (end: number) => number {
  const random = seededRandom(seed);
  return (end) => Math.floor(random() * end);
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

/** Where a loop gets that is left at once. */
function firstOf<T>(iterator: Iterable<T>): T | undefined {
  for (const first of iterator) return first;
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
      if (next(2) === 0) assertEquals(own.next(), real.next(), `seed ${seed}, step ${step}`);
      else assertEquals(firstOf(own), firstOf(real), `seed ${seed}, step ${step}`);
    }
  }
});

// So many that looking for the next one from the first on would take minutes, which no file of tests has.
test("many may go while all are visited", () => {
  const [count, half] = [600_000, 300_000];
  const [everySecond, secondHalf] = [
    new ChurnMap<number, number>(),
    new ChurnMap<number, number>(),
  ];
  for (let key = 0; key < count; key++) {
    for (const map of [everySecond, secondHalf]) map.set(key, key);
  }
  for (const key of everySecond.keys()) if (key % 2 === 0) everySecond.delete(key);
  for (const key of secondHalf.keys()) if (key >= half) secondHalf.delete(key);
  assertEquals([everySecond.size, secondHalf.size], [half, half]);
});

test("its iterators have what the runtime's own have", () => {
  const churn = new ChurnMap<string, number>().set("a", 1).set("b", 2);
  const map = new Map([...churn]);
  for (const name of ["keys", "values", "entries"] as const) {
    const [own, real] = [churn[name](), map[name]()];
    assert(own[Symbol.iterator]() === own);
    assertEquals("map" in own, "map" in real);
    assertEquals([...own], [...real]);
    assertEquals(own.next(), real.next());
  }
});

test("a console shows it as a Map", async () => {
  const { stdout } = await runExample(RUNTIME, "tests/fixtures/showing_program.ts", []);
  const [own, real] = stdout.split("--\n");
  assertStringIncludes(real, "Map");
  assertEquals(own, real);
});

// Only Node tells how much of its heap is old, and can be asked to collect.
test(
  "what has gone dies young, also behind a full collection",
  { skip: RUNTIME !== "node" },
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
