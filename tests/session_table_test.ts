/** The table of a server's sessions: a read-only Map to everybody. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { type Place, SessionTable } from "../src/session_table.ts";
import { seededRandom } from "./cuts.ts";
import { runExample } from "./programs.ts";
import type { RuntimeName } from "./toolchain.ts";

const RUNTIME: RuntimeName = process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node";

/** Numbers from 0 to below `end`, the same ones each time. */
function numbers(seed: number): (end: number) => number {
  const random = seededRandom(seed);
  return (end) => Math.floor(random() * end);
}

/** What stands for a session; counts how often somebody asks for its id. */
class Member {
  asked = 0;
  readonly #id: string;

  constructor(number: number) {
    this.#id = `id ${number}`;
  }

  get id(): string {
    this.asked++;
    return this.#id;
  }
}

/** A table beside a Map to which the same is done. */
class Pair {
  readonly table = new SessionTable<Member>();
  readonly map = new Map<string, Member>();
  readonly #places = new Map<number, Place<Member>>();

  /** Takes in what has this number, unless it is in; or takes it out. */
  change(number: number, isIn: boolean): void {
    const place = this.#places.get(number);
    if (!isIn && place !== undefined) {
      const { id } = place.session;
      this.table.remove(place);
      this.table.remove(place); // it has gone: nothing happens
      assertEquals(place.session, undefined); // else an iterator that stands here would keep it alive
      this.map.delete(id);
      this.#places.delete(number);
    } else if (isIn && place === undefined) {
      const member = new Member(number);
      this.#places.set(number, this.table.add(member));
      this.map.set(member.id, member);
    }
  }
}

/** Where a loop gets that is left at once. */
function firstOf<T>(iterator: Iterable<T>): T | undefined {
  for (const first of iterator) return first;
}

for (const asksFirst of [true, false]) {
  const when = asksFirst ? "from the first on" : "when there are many";
  test(`whatever is done to it, it tells what a Map tells; asked for ids ${when}`, () => {
    const next = numbers(1);
    const pair = new Pair();
    const { table, map } = pair;
    if (asksFirst) assert(!table.has("id 1"));
    for (let step = 0; step < 20_000; step++) {
      const range = step < 10_000 ? 300 : 3;
      pair.change(next(range), next(2) === 0);
      assertEquals(table.size, map.size);
      if (step < 5000 && !asksFirst) continue;
      const key = `id ${next(range)}`;
      assertEquals([table.has(key), table.get(key)], [map.has(key), map.get(key)]);
      if (step % 500 !== 0) continue;
      assertEquals([...table], [...map]);
      assertEquals([...table.keys()], [...map.keys()]);
      assertEquals([...table.values()], [...map.values()]);
      assertEquals([...table.entries()], [...map.entries()]);
      const told: unknown[] = [];
      table.forEach(function (this: unknown, ...args) {
        told.push([this, ...args]);
      }, next);
      assertEquals(told, [...map].map(([key, value]) => [next, value, key, table]));
    }
  });
}

test("an iterator under way finds what a Map's finds, whatever has gone or come", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const next = numbers(seed);
    const pair = new Pair();
    for (let number = 0; number < 20; number++) pair.change(number, true);
    const [own, real] = [pair.table.keys(), pair.map.keys()];
    for (let step = 0; step < 60; step++) {
      for (let i = next(12); i > 0; i--) pair.change(next(30), next(3) === 0);
      if (next(2) === 0) assertEquals(own.next(), real.next(), `seed ${seed}, step ${step}`);
      else assertEquals(firstOf(own), firstOf(real), `seed ${seed}, step ${step}`);
    }
  }
});

// So many that looking for the next one from the first on would take minutes, which no file of tests has.
test("many may go while all are visited", () => {
  const [count, half] = [600_000, 300_000];
  for (const isGoing of [(i: number) => i % 2 === 0, (i: number) => i >= half]) {
    const table = new SessionTable<{ readonly id: string }>();
    const members = Array.from({ length: count }, (_, i) => ({ id: `${i}` }));
    const places = new Map(members.map((member) => [member, table.add(member)]));
    for (const member of table.values()) {
      if (isGoing(Number(member.id))) table.remove(places.get(member)!);
    }
    assertEquals(table.size, half);
  }
});

test("who is told of each may go, and others come", () => {
  const table = new SessionTable<Member>();
  const places = [1, 2, 3].map((number) => table.add(new Member(number)));
  const told: Member[] = [];
  table.forEachSession((member) => {
    told.push(member);
    if (told.length > 1) return;
    table.remove(places[0]);
    table.remove(places[1]);
    table.add(new Member(4));
  });
  assertEquals(told.map(({ id }) => id), ["id 1", "id 3", "id 4"]);
});

test("nobody is asked for an id before somebody wants one", () => {
  const table = new SessionTable<Member>();
  const members = [1, 2, 3].map((number) => new Member(number));
  const [first] = members.map((member) => table.add(member));
  table.forEachSession(() => {});
  assertEquals([...table.values()].length, 3);
  table.remove(first);
  assertEquals(members.map(({ asked }) => asked), [0, 0, 0]);
  assert(table.has("id 3"));
  assertEquals(members.map(({ asked }) => asked), [0, 1, 1]);
});

test("its iterators have what the runtime's own have", () => {
  const table = new SessionTable<{ id: string }>();
  for (const id of ["a", "b"]) table.add({ id });
  const map = new Map([...table]);
  for (const name of ["keys", "values", "entries"] as const) {
    const [own, real] = [table[name](), map[name]()];
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
