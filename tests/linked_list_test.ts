/** The list whose members know their neighbours, beside an array. @module */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { Linked, LinkedList } from "../src/linked_list.ts";
import { seededRandom } from "./cuts.ts";

class Numbered extends Linked<Numbered> {
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }
}

test("members come and go as in two arrays, each in one of them at a time", () => {
  const random = seededRandom(1);
  const all = Array.from({ length: 12 }, (_, number) => new Numbered(number));
  const lists = [new LinkedList<Numbered>(), new LinkedList<Numbered>()];
  const arrays: Numbered[][] = [[], []];
  const leave = (array: Numbered[], member: Numbered): void => {
    if (array.includes(member)) array.splice(array.indexOf(member), 1);
  };
  for (let step = 0; step < 5000; step++) {
    const which = random() < 0.5 ? 0 : 1;
    const [list, array] = [lists[which], arrays[which]];
    const member = all[Math.floor(random() * all.length)];
    const action = random();
    if (action < 0.5) {
      list.push(member);
      arrays.forEach((any) => leave(any, member));
      array.push(member);
    } else if (action < 0.9) {
      list.remove(member); // most often it is in there, or nowhere
      leave(array, member);
    } else {
      assertEquals(list.shift(), array.shift() ?? null);
    }
    for (const [i, expected] of arrays.entries()) {
      assertEquals([...lists[i]].map(({ number }) => number), expected.map(({ number }) => number));
      assertEquals([lists[i].size, lists[i].first], [expected.length, expected[0] ?? null]);
    }
  }
});

test("who has left knows nobody any more", () => {
  const list = new LinkedList<Numbered>();
  const [first, second, third] = [1, 2, 3].map((number) => new Numbered(number));
  for (const member of [first, second, third]) list.push(member);
  list.remove(second);
  list.shift();
  for (const gone of [first, second]) {
    assertEquals([gone.list, gone.previous, gone.next], [null, null, null]);
  }
  assertEquals([...list], [third]);
});
